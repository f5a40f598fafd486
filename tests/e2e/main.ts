/**
 * `deno task e2e`: real Claude Code sessions against a scripted model, on a real bus. Not part of
 * `ok`: it downloads the client, and takes minutes.
 */
import "./connected.ts";
import "./messages.ts";
import "./sessions.ts";
import "./absence.ts";
import { SUBJECT } from "../helpers/process.ts";
import { report, table } from "./report.ts";

report("the program", SUBJECT);

Deno.test.afterAll(() => {
  Deno.stdout.writeSync(new TextEncoder().encode(`\n\n${table()}\n`));
});
