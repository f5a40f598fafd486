/** Clients that the system stops for a while: they lose nothing, and they hold nobody up. */
import assert from "node:assert/strict";
import type { WireEvent } from "../../cli/format.ts";
import { type Home, tempHome } from "../helpers/home.ts";
import { serve, type Served, spawn, SUBJECT } from "../helpers/process.ts";
import { until } from "../helpers/receiver.ts";
import { TORTURE } from "../helpers/torture.ts";

const TIMES = TORTURE ? 20 : 2;
/** More than the sockets between the two can hold: 12 MB. */
const [EVENTS, PAYLOAD] = [60, "x".repeat(200 * 1024)];

/** A reader as a process of its own, that can be stopped. */
interface Follower extends AsyncDisposable {
  readonly child: Deno.ChildProcess;
  /** What it has printed so far, by id. */
  readonly ids: number[];
}

function follow(server: Served, home: Home, args: readonly string[]): Follower {
  const line = ["events", "--follow", "--resume", "--json", "--url", server.url, ...args];
  const child = spawn(line, { home });
  const ids: number[] = [];
  const reading = (async () => {
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      rest += text;
      for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
        ids.push((JSON.parse(rest.slice(0, end)) as WireEvent).id);
        rest = rest.slice(end + 1);
      }
    }
  })();
  const errors = new Response(child.stderr).text();
  return {
    child,
    ids,
    async [Symbol.asyncDispose]() {
      child.kill("SIGCONT");
      child.kill("SIGTERM");
      const { code } = await child.status;
      await reading;
      assert.deepEqual([code, await errors], [0, ""], "it ends when it is told to");
    },
  };
}

/** Whether the system says that a process stands still. */
function isStopped({ pid }: Deno.ChildProcess): boolean {
  // By a program: the runtime reads this file only where everything is allowed.
  const { stdout } = new Deno.Command("cat", { args: [`/proc/${pid}/stat`] }).outputSync();
  const stat = new TextDecoder().decode(stdout);
  return stat.slice(stat.lastIndexOf(")") + 2).startsWith("T");
}

async function publish(server: Served, payload: string): Promise<number> {
  const { event_id } = await server.call("publish_event", { event_type: "t", payload });
  return event_id;
}

Deno.test({
  name:
    `${SUBJECT}: a reader stopped by the system while megabytes come loses nothing and holds nobody up, ${TIMES} times`,
  ignore: Deno.build.os !== "linux",
  async fn() {
    using home = tempHome();
    await using server = await serve({ home });
    for (const client_id of ["stopped", "other"]) {
      await server.call("register_session", { name: client_id, client_id });
    }
    await using stopped = follow(server, home, ["--session-id", "stopped"]);
    await using other = follow(server, home, ["--session-id", "other"]);
    const published: number[] = [];
    const hasAll = (one: Follower) => () =>
      one.ids.at(-1) === published.at(-1) && published.length > 0;
    for (let time = 0; time < TIMES; time++) {
      published.push(await publish(server, "before"));
      await until(hasAll(stopped), "it reads");
      stopped.child.kill("SIGSTOP");
      await until(() => isStopped(stopped.child), "it never stopped");
      const size = stopped.ids.length;
      // One after another: a publish that had to wait for the stopped reader would never be answered.
      for (let n = 0; n < EVENTS; n++) published.push(await publish(server, `${n} ${PAYLOAD}`));
      await until(hasAll(other), "the other reader was held up");
      assert.ok(stopped.ids.length < size + EVENTS, "it did not read meanwhile");
      stopped.child.kill("SIGCONT");
      await until(hasAll(stopped), "it did not catch up");
    }
    for (const { ids } of [stopped, other]) {
      assert.deepEqual(
        ids.filter((id) => published.includes(id)),
        published,
        "each once, in order",
      );
      assert.equal(new Set(ids).size, ids.length);
    }
  },
});

Deno.test({
  name:
    `${SUBJECT}: a client stopped between its peek and its ack reads again what it may not have shown, ${TIMES} times`,
  ignore: Deno.build.os !== "linux",
  async fn() {
    using home = tempHome();
    await using server = await serve({ home });
    await server.call("register_session", { name: "slow", client_id: "slow" });
    const seen = new Set<number>();
    const published: number[] = [];
    for (let time = 0; time < TIMES * 5; time++) {
      for (let n = 0; n < 5; n++) published.push(await publish(server, `${time} ${n}`));
      // Stopped at some instant of its short life, then ended or let go on.
      const child = spawn(
        ["events", "--resume", "--session-id", "slow", "--json", "--url", server.url],
        { home },
      );
      for (let turns = Math.random() * 3000; turns > 0; turns--) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      const isThere = signal(child, "SIGSTOP");
      published.push(await publish(server, `${time} while it stands still`));
      if (isThere) signal(child, time % 2 === 0 ? "SIGKILL" : "SIGCONT");
      const { stdout } = await child.output();
      const text = new TextDecoder().decode(stdout);
      if (!text.endsWith("\n")) continue;
      for (const { id } of JSON.parse(text).events) seen.add(id);
    }
    for (let unread = 1; unread > 0;) {
      const page = await server.call("get_events", {
        session_id: "slow",
        resume: true,
        limit: 100,
      });
      for (const { id } of page.events) seen.add(id);
      unread = page.unread;
    }
    assert.deepEqual(
      published.filter((id) => !seen.has(id)),
      [],
      "nothing was marked and not shown",
    );
  },
});

/** Sends a signal, unless it has ended already. */
function signal(child: Deno.ChildProcess, name: Deno.Signal): boolean {
  try {
    child.kill(name);
    return true;
  } catch {
    return false;
  }
}
