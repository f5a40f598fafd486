/** Says in words what is wrong with arguments. */
import type { z } from "zod";

/** One clause for each problem, at most five, naming the field. */
export function errorsOf(error: z.ZodError): string {
  const clauses = error.issues.slice(0, 5).map((issue) => {
    const field = issue.path.join(".");
    return field === "" ? issue.message : `${field}: ${issue.message}`;
  });
  if (error.issues.length > 5) clauses.push(`and ${error.issues.length - 5} more`);
  return clauses.join("; ").slice(0, 1000);
}
