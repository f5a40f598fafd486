/** Says in words what is wrong with arguments. */
import type { z } from "zod";

type Issue = z.ZodError["issues"][number];

/** One clause for each problem, at most five, naming the field. */
export function errorsOf(error: z.ZodError): string {
  const clauses = error.issues.slice(0, 5).map((issue) => {
    const field = issue.path.join(".");
    return field === "" ? clauseOf(issue) : `${field}: ${clauseOf(issue)}`;
  });
  if (error.issues.length > 5) clauses.push(`and ${error.issues.length - 5} more`);
  return clauses.join("; ").slice(0, 1000);
}

/** What is expected, in the words of the other refusals: it is read by people and by models. */
function clauseOf(issue: Issue): string {
  switch (issue.code) {
    case "too_big":
      return `at most ${issue.maximum}${UNITS[issue.origin] ?? ""}`;
    case "too_small":
      return issue.origin === "string" && issue.minimum === 1
        ? "must not be empty"
        : `at least ${issue.minimum}${UNITS[issue.origin] ?? ""}`;
    case "invalid_type":
      if (issue.message.endsWith("received undefined")) return "is missing";
      return `${KINDS[issue.expected] ?? issue.expected} is expected`;
    case "invalid_value":
      return `one of ${issue.values.map(String).join(", ")} is expected`;
    case "unrecognized_keys":
      return `there is no ${issue.keys.map((key) => JSON.stringify(key)).join(", ")}`;
    default:
      return issue.message;
  }
}

const UNITS: Record<string, string> = { string: " characters", array: " items" };

const KINDS: Record<string, string> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
};
