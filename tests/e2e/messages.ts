/** What one session publishes reaches the others, at the right moment and once, by whatever paths. */
import assert from "node:assert/strict";
import { until } from "./claude.ts";
import { bash, say } from "./model.ts";
import { sessionTest } from "./need.ts";
import { report } from "./report.ts";
import { type Way, WAYS } from "./install.ts";
import { type Session, startWorld } from "./world.ts";

/** How often a session's model was sent an event with its last turn. */
const shown = (session: Session, id: number): number => session.text().split(`#${id} `).length - 1;

const sees = (session: Session, id: number): Promise<unknown> =>
  until(`the model was sent #${id}`, () => shown(session, id) > 0, 20_000, session.text);

for (const way of Object.values(WAYS)) {
  sessionTest(`messages: each is shown once, with ${way.name}`, () => exchange(way));
}

async function exchange(way: Way): Promise<void> {
  await using world = await startWorld(way);
  const a = await world.start();
  const b = await world.start();
  await a.do(say("hello"));
  // The first command of a session takes longer than others.
  await b.do(bash("true"), say("hello"));
  const toB = { event_type: "note", channel: `session:${b.id}`, payload: "for b" };

  // In the middle of B's work.
  const go = Promise.withResolvers<void>();
  let turns = b.turns().length;
  await b.ask(async () => {
    await go.promise;
    return bash("true");
  }, say("done"));
  const midWork = await a.publish(toB);
  const published = Date.now();
  go.resolve();
  await sees(b, midWork.id);
  const seen = b.turns().at(-1)?.at ?? 0;
  await b.idle();
  assert.equal(b.turns().length - turns, 2, "it was there with the results of the tools");
  report(`${way.name}: mid-work, end of publishing to model request`, `${seen - published} ms`);

  // While it answers: it does not stop without having seen what was for it.
  const answer = Promise.withResolvers<void>();
  turns = b.turns().length;
  await b.ask(async () => {
    await answer.promise;
    return say("finished");
  });
  const atStop = await a.publish({ ...toB, payload: "before you stop" });
  answer.resolve();
  await sees(b, atStop.id);
  await b.idle();
  assert.equal(b.turns().length - turns, 2, "it was told when it wanted to stop");

  // While nobody works there.
  turns = b.turns().length;
  const whenIdle = await a.publish(toB);
  if (way.wakes) {
    await sees(b, whenIdle.id);
    const woken = b.turns().at(-1)?.at ?? 0;
    await b.idle();
    assert.equal(b.turns().length - turns, 1, "it was woken once");
    report(`${way.name}: idle, publishing to model request`, `${woken - whenIdle.at} ms`);
  }

  // What is for everybody wakes nobody, and is there with the next prompt; for C when it comes.
  const before = b.turns().length;
  const toAll = await a.publish({ event_type: "note", channel: "all", payload: "for everybody" });
  const c = await world.start();
  await c.do(say("hello"));
  assert.equal(shown(c, toAll.id), 1, "C is told what it missed");
  assert.equal(b.turns().length, before, "what is for everybody woke B");
  await b.do(bash("true"), say("done"));

  // Many at any moment of its work, and many at once when it is idle: every path has something to do.
  const sent: number[] = [];
  let many = 0;
  const send = async () => {
    const payload = `one of many, ${++many}`;
    const { event_id } = await world.bus.call("publish_event", {
      ...toB,
      payload,
      session_id: a.id,
    });
    sent.push(event_id);
  };
  const onTheirWay: Promise<void>[] = [];
  const step = async () => {
    await send();
    onTheirWay.push(send(), send());
    return bash("true");
  };
  await b.do(step, step, step, step, say("done"));
  await Promise.all(onTheirWay);
  for (let n = 0; n < 5; n++) await send();
  if (way.wakes) { for (const id of sent) await sees(b, id); }
  await b.idle();
  await b.do(bash("true"), say("done"));
  await c.do(say("done"));
  await a.do(say("done"));

  const all = [midWork.id, atStop.id, whenIdle.id, toAll.id, ...sent];
  const times = (session: Session, ids: readonly number[]) => ids.map((id) => shown(session, id));
  assert.deepEqual(times(b, all), all.map(() => 1), b.text().slice(-8000));
  assert.deepEqual(times(c, [toAll.id]), [1]);
  assert.deepEqual(times(a, all), all.map(() => 0), "its own messages came back to A");
  report(`${way.name}: each of ${all.length} events in B's last request`, "exactly once");

  await Promise.all([a, b, c].map((session) => session.exit()));
  await until("no process is left", async () => (await world.processes()).length === 0);
  report(`${way.name}: processes left after /exit`, "none");
}
