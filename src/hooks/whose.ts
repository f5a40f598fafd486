/** Whose hook it is: the session that a hook is about, and how it gets on the bus. */
import type { Bus, Call, Caller } from "../bus.ts";
import { endOthersOf, register } from "../bus/sessions.ts";
import { checkPrintable, repoOf, type Session } from "../session.ts";
import { findByClientAnywhere, sessionsOfProcess, setMachine } from "../store/sessions.ts";
import type { Facts, HookInput } from "./input.ts";
import { GOES_ON } from "./rules.ts";

/** Whether a session is known to run in another process than the one that says this. */
export function isOtherProcess({ pid, pid_start }: Session, facts: Facts): boolean {
  if (pid === null || facts.pid === undefined) return false;
  return pid !== facts.pid || (pid_start ?? null) !== (facts.pid_start ?? null);
}

/** The session that a hook is about, living or ended; null for one that never registered. */
export function sessionOf(
  { store, machine }: Bus,
  hook: HookInput,
  facts: Facts,
  { local, principal }: Caller,
): Session | null {
  const where = facts.machine ?? (local ? machine : "");
  return findByClientAnywhere(store, where, hook.session_id, principal);
}

/** The living session that somebody listens for, whatever its process calls it by now. */
export function livingOf(bus: Bus, hook: HookInput, facts: Facts, caller: Caller): Session | null {
  const named = sessionOf(bus, hook, facts, caller);
  if (named?.ended_at === null) return named;
  const { pid, pid_start: start = null, machine = caller.local ? bus.machine : "" } = facts;
  return pid === undefined
    ? null
    : sessionsOfProcess(bus.store, machine, { pid, start }, caller.principal)[0] ?? null;
}

/** Registers the session of a hook, or brings it back. Only a start knows where it works now. */
export function join(bus: Bus, found: Session | null, hook: HookInput, facts: Facts, call: Call) {
  const { root, branch, pid, pid_start } = facts;
  const cwd = hook.cwd ?? "";
  const repo = facts.repo ?? repoOf(root ?? cwd);
  const here = { name: branch === undefined ? repo : `${repo}/${branch}`.slice(0, 200), cwd, repo };
  const where = hook.hook_event_name === "SessionStart" ? here : found ?? here;
  // A machine may be called otherwise by now, and an http hook did not know its name.
  const isSame = found !== null && pid !== undefined && !isOtherProcess(found, facts);
  if (isSame && facts.machine !== undefined && facts.machine !== found.machine) {
    setMachine(bus.store, found.id, checkPrintable("machine", facts.machine));
  }
  const joined = register(bus, {
    name: where.name,
    cwd: where.cwd,
    repo: where.repo,
    machine: facts.machine ?? found?.machine,
    client_id: hook.session_id,
    process: pid === undefined ? undefined : { pid, start: pid_start ?? null },
    goesOn: GOES_ON.has(hook.source ?? ""),
    source: hook.source,
  }, call);
  endOthersOf(bus, joined.session, call);
  return joined;
}
