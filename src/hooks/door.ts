/**
 * The door for the hooks of Claude Code: a hook's JSON in, a hook's JSON out. It registers sessions,
 * notes what they are doing, and hands over what they have not seen.
 */
import type { Bus, Call, Caller } from "../bus.ts";
import {
  handOver,
  isNothing,
  type Passed,
  passedBy,
  type Unseen,
  unseenBy,
} from "../bus/handing.ts";
import { noteState } from "../bus/presence.ts";
import { endWith } from "../bus/sessions.ts";
import { heard } from "../bus/speakers.ts";
import { BusError } from "../errors.ts";
import { checkScope } from "../operations/access.ts";
import { audit } from "../operations/audit.ts";
import { callBy, readingCall } from "../operations/perform.ts";
import type { Session } from "../session.ts";
import { setProcess, setPrompted } from "../store/sessions.ts";
import { createAbsences } from "./absence.ts";
import { createClaims } from "./claims.ts";
import { digestOf } from "./digest.ts";
import { type Facts, type HookInput, readFacts, readHook } from "./input.ts";
import { introduction, recentNews } from "./introduction.ts";
import { type Rule, ruleOf } from "./rules.ts";
import { summon, type Summons } from "./waking.ts";
import { isOtherProcess, join, livingOf, sessionOf } from "./whose.ts";

export interface HookParts {
  readonly bus: Bus;
  /** How many characters a digest may have. */
  readonly digestChars: number;
  /** When the bus was away before this server started; null when it was not, or nobody knows. */
  readonly outage: { readonly from: number; readonly to: number } | null;
}

/** What a hook is answered. */
export interface HookAnswer {
  /** The hook's JSON; null when there is nothing to say. */
  readonly output: object | null;
  /** The session on the bus; null when the hook is about none. */
  readonly sessionId: string | null;
  /** What the client is to acknowledge once the output is written; null when there is nothing to. */
  readonly ack: string | null;
  /**
   * To be called once the answer is out, for a client that acknowledges nothing: what it shows counts
   * as read from then on, unless that took too long. Null when it shows nothing.
   */
  readonly sent: (() => Promise<void>) | null;
}

export interface HookDoor {
  /** Answers a hook. Throws `invalid_argument` for what is no hook of a session. */
  answer(body: unknown, query: Record<string, string>, caller: Caller): Promise<HookAnswer>;
  /** Waits until a session is called; see `waking.ts`. */
  wait(body: unknown, query: Record<string, string>, caller: Caller): Promise<Summons>;
  /** Counts as read what a claim handed over; false when there is no such claim (any more). */
  acknowledge(id: unknown, caller: Caller): Promise<boolean>;
}

/** A client that acknowledges nothing waits 300 ms: what would come too late for it stays unseen. */
const LATE_MS = 150;
/** What went out after this may have found nobody; shown twice is better than not at all. */
const SENT_MS = 250;

/** Who goes on holding a session back does not let it stop; its client has a limit of eight. */
const MAX_HOLDS = 4;

/** For a prompt that a listener entered too late: others have shown all of it meanwhile. */
const OLD_PROMPT = { decision: "block", reason: "The session has seen these messages already." };

const NOTHING: HookAnswer = { output: null, sessionId: null, ack: null, sent: null };

/** An answer within its transaction, and what it shows if that is yet to be claimed. */
type Taken = Pick<HookAnswer, "output" | "sessionId"> & { readonly claimed: readonly Passed[] };

const NOBODY: Taken = { output: null, sessionId: null, claimed: [] };

/** Whether a hook may tell its session something beside what holds it back. */
const speaks = ({ shows, holds }: Rule): boolean => shows !== undefined && holds !== true;

export function createHookDoor({ bus, digestChars, outage }: HookParts): HookDoor {
  const claims = createClaims(bus.uuid);
  const absences = createAbsences(outage);
  /** How often in a row a session was held back. */
  const holds = new Map<string, number>();

  async function answer(body: unknown, query: Record<string, string>, caller: Caller) {
    const asked = bus.clock();
    admit(caller);
    const hook = readHook(body);
    const facts = readFacts(query);
    const rule = ruleOf(hook);
    if (rule === null) return NOTHING;
    const known = sessionOf(bus, hook, facts, caller);
    const path = rule.shows?.path ?? caller.path;
    const seen = (id: string | null) => id === null || bus.readers.note(id, path, bus.clock());
    if (known !== null && await isOld(hook, known, caller)) {
      return { ...NOTHING, output: OLD_PROMPT, sessionId: known.id };
    }
    const acknowledges = facts.ack === "later";
    const isLate = () => !acknowledges && bus.clock() - asked > LATE_MS;
    for (;;) {
      if (known !== null && rule.shows !== undefined && !isLate()) {
        await claims.free(known.id, acknowledges ? undefined : LATE_MS);
      }
      if (known !== null && isIdle(known, rule, hook)) {
        heard(bus, known, readingCall(bus, caller));
        seen(known.id);
        return { ...NOTHING, sessionId: known.id };
      }
      let ack: string | null = null;
      try {
        const answer = await bus.store.inBatch(({ afterCommit }) => {
          const shows = isLate() ? undefined : rule.shows;
          if (known !== null && shows !== undefined && !claims.isFree(known.id)) return null;
          const call = callBy(bus, { ...caller, path }, afterCommit);
          const { output, sessionId, claimed: passed } = take(
            hook,
            facts,
            { ...rule, shows },
            call,
          );
          // At once: another call of this batch must not claim the same.
          if (sessionId !== null && passed.length > 0) {
            ack = claims.open({ sessionId, path, passed, text: null });
          }
          return { output, sessionId, ack };
        });
        seen(answer?.sessionId ?? null);
        if (answer === null) continue;
        audit({
          principal: caller.principal,
          peer: caller.peer,
          operation: `hook ${hook.hook_event_name}`,
          session_id: answer.sessionId,
          result: "ok",
          ms: bus.clock() - asked,
        });
        if (ack === null || acknowledges) return { ...answer, sent: null };
        // The disk took its time: whoever asked has gone on without it.
        if (isLate()) claims.settle(ack)?.end(false);
        const sent = () => noteSent(ack as string, asked, caller);
        return isLate()
          ? { ...NOTHING, sessionId: answer.sessionId }
          : { ...answer, ack: null, sent };
      } catch (failure) {
        if (ack !== null) claims.settle(ack)?.end(false);
        throw failure;
      }
    }
  }

  async function noteSent(id: string, asked: number, caller: Caller): Promise<void> {
    if (bus.clock() - asked > SENT_MS) claims.settle(id)?.end(false);
    else await count(id, caller);
  }

  /** A prompt that holds what a listener was told acknowledges it. Answers whether it is nothing new. */
  async function isOld({ prompt }: HookInput, { id }: Session, caller: Caller): Promise<boolean> {
    const held = prompt === undefined ? [] : claims.heldBy(id, prompt);
    const counts = await Promise.all(held.map(([claim]) => count(claim, caller)));
    return counts.every((counted) => counted === "old") &&
      held.some(([, { text }]) => text === prompt);
  }

  /** Counts a claim as read; null when there is no such claim (any more). */
  async function count(id: string, caller: Caller): Promise<"new" | "old" | null> {
    const claim = claims.settle(id);
    if (claim === null) return null;
    let isFirst = false;
    try {
      isFirst = await bus.store.inBatch(({ afterCommit }) =>
        handOver(bus, claim.passed, callBy(bus, { ...caller, path: claim.path }, afterCommit))
      );
      return isFirst ? "new" : "old";
    } finally {
      claim.end(isFirst);
    }
  }

  /** Whether a hook changes nothing and has nothing to tell: then it costs no transaction. */
  function isIdle(session: Session, rule: Rule, hook: HookInput): boolean {
    if (session.ended_at !== null || rule.introduces || rule.ends !== undefined) return false;
    if (rule.isTyped) return false;
    if (rule.state !== undefined && rule.state !== session.state) return false;
    if (speaks(rule) && absences.isUntold(session)) return false;
    if (rule.shows === undefined || isHeldEnough(session, rule, hook)) return true;
    return isNothing(unseenBy(bus, session, rule.shows.scope));
  }

  function isHeldEnough({ id }: Session, { holds: mayHold }: Rule, hook: HookInput): boolean {
    if (!mayHold) return false;
    if (hook.stop_hook_active !== true) holds.delete(id);
    return (holds.get(id) ?? 0) >= MAX_HOLDS;
  }

  function take(hook: HookInput, facts: Facts, rule: Rule, call: Call): Taken {
    const found = sessionOf(bus, hook, facts, call.caller);
    const here = found === null || found.ended_at !== null ? null : found;
    if (rule.ends !== undefined) return end(here, rule, facts, call);
    const isNew = speaks(rule) && (here === null || rule.introduces);
    const joined = isNew ? join(bus, found, hook, facts, call) : null;
    const session = joined?.session ?? here;
    if (session === null) return NOBODY;
    heard(bus, session, call);
    if (rule.isTyped) setPrompted(bus.store, session.id, call.now);
    if (facts.away_since !== undefined) {
      absences.note(session.id, { from: facts.away_since, to: call.now });
    }
    const lead = !speaks(rule) ? "" : [
      ...joined === null ? [] : [introduction(bus, session, call.now)],
      ...absences.tell(session, call),
      ...joined === null || joined.resumed ? [] : recentNews(bus, session, digestChars, call.now),
    ].join("\n");
    const said = say(session, rule, hook, lead, call);
    // Who is held back is not idle.
    const state = rule.holds && said.text !== "" ? "working" : rule.state;
    if (state !== undefined) noteState(bus, session, state, call);
    return {
      output: outputOf(hook, said.text),
      sessionId: session.id,
      claimed: said.passed,
    };
  }

  function end(session: Session | null, { ends, isGone }: Rule, facts: Facts, call: Call): Taken {
    // Resumed in a second terminal, it does not end with the first.
    if (session === null || isOtherProcess(session, facts)) return NOBODY;
    holds.delete(session.id);
    absences.forget(session.id);
    const reason = isGone ? "process_gone" : "unregistered";
    if (ends === "now" || session.pid === null) endWith(bus, session, reason, call);
    else noteState(bus, session, "idle", call);
    return { ...NOBODY, sessionId: session.id };
  }

  function say(session: Session, rule: Rule, hook: HookInput, lead: string, call: Call) {
    const nothing = { text: lead, passed: [] };
    if (rule.shows === undefined || isHeldEnough(session, rule, hook)) return nothing;
    const unseen = unseenBy(bus, session, rule.shows.scope);
    const { text, passed } = digest(session, unseen, digestChars - lead.length);
    if (text === "") return { ...nothing, passed };
    // Nobody is there to see it any more: then it stays unseen.
    if (call.caller.signal?.aborted) {
      throw new BusError("caller_left", "Cannot hand over events: the caller left");
    }
    if (rule.holds) {
      call.afterCommit(() => holds.set(session.id, (holds.get(session.id) ?? 0) + 1));
    }
    return { text: lead === "" ? text : `${lead}\n${text}`, passed };
  }

  /** How what is unseen reads, as far as it fits, and what is passed with that. */
  function digest(session: Session, unseen: Unseen, chars: number) {
    const { text, shown } = digestOf(bus, session, unseen, { now: bus.clock(), chars });
    return { text, passed: passedBy(unseen, shown) };
  }

  return {
    answer,
    async wait(body, query, caller) {
      admit(caller);
      const hook = readHook(body);
      const facts = readFacts(query);
      const find = () => livingOf(bus, hook, facts, caller);
      const found = find();
      if (found !== null && facts.away_since !== undefined) {
        absences.note(found.id, { from: facts.away_since, to: bus.clock() });
      }
      const { pid, pid_start: start = null } = facts;
      if (found !== null && found.pid === null && pid !== undefined) {
        await bus.store.inBatch(() => setProcess(bus.store, found.id, { pid, start }));
      }
      const parts = { bus, claims, digest: (s: Session, u: Unseen) => digest(s, u, digestChars) };
      const { principal } = caller;
      const leave = bus.limits.enter("waits", { session: hook.session_id, principal });
      try {
        return await summon(parts, { find, query, caller });
      } finally {
        leave();
      }
    },
    async acknowledge(id, caller) {
      admit(caller);
      return typeof id === "string" && await count(id, caller) !== null;
    },
  };
}

/** A hook reads and speaks for its session. */
function admit(caller: Caller): void {
  checkScope(caller, "a hook", "publish");
  checkScope(caller, "a hook", "read");
}

/** The hook's JSON for a text; null for none. After a Stop the context alone lets the turn go on. */
function outputOf({ hook_event_name }: HookInput, text: string): object | null {
  return text === ""
    ? null
    : { hookSpecificOutput: { hookEventName: hook_event_name, additionalContext: text } };
}
