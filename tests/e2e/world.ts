/**
 * A world of its own for each test: a home, a bus that runs in it, a scripted model, the program
 * installed as users install it, and the Claude Code sessions that work there.
 */
import { join } from "node:path";
import { type Home, tempHome } from "../helpers/home.ts";
import { serve, type Served, surroundings } from "../helpers/process.ts";
import {
  isAlive,
  prepareHome,
  type Printed,
  runClaude,
  type Setup,
  startTerminal,
  type Terminal,
  until,
} from "./claude.ts";
import { findClient } from "./client.ts";
import { install, type Way } from "./install.ts";
import { type Model, say, startModel, type Step, textOf, type Turn, use } from "./model.ts";

export interface World extends AsyncDisposable {
  readonly home: Home;
  readonly model: Model;
  /** The bus that runs now. */
  readonly bus: Served;
  stopBus(): Promise<void>;
  /** Starts it again at the same address. */
  startBus(): Promise<void>;
  /** Runs the client to its end, without a person. */
  claude(...args: string[]): Promise<Printed>;
  /** Starts an interactive session, and waits until it takes input. */
  start(...args: string[]): Promise<Session>;
  // deno-lint-ignore no-explicit-any -- events are looked at field by field
  events(filter?: Record<string, unknown>): Promise<any[]>;
  /** The session as the bus lists it. */
  // deno-lint-ignore no-explicit-any -- looked at field by field
  listed(sessionId: string): Promise<any>;
  /** The processes that have this home, without the bus. */
  processes(): Promise<Process[]>;
}

/** An interactive session of Claude Code. */
export interface Session {
  /** Its id on the bus. */
  readonly id: string;
  /** Its id at the client; /clear and the like change it. */
  clientId(): string;
  readonly terminal: Terminal;
  /** Types the word for these steps. */
  ask(...steps: Step[]): Promise<void>;
  /** The same, and waits until the session is idle after its last step. */
  do(...steps: Step[]): Promise<void>;
  /** Waits until the client says that it is idle. */
  idle(): Promise<void>;
  turns(): Turn[];
  /** All that the model was sent with the last turn. */
  text(): string;
  /** Publishes with the MCP tool as a model would; answers the event's id, and when it was published. */
  publish(args: Record<string, unknown>): Promise<{ id: number; at: number }>;
  /** Leaves as a person does; resolves when its process is gone. */
  exit(): Promise<void>;
}

const PUBLISH = "mcp__event-bus__publish_event";
const UNATTENDED = ["--permission-mode", "bypassPermissions"];

/** Worlds that are not disposed of yet. */
const living = new AsyncDisposableStack();

// Whoever interrupts a run leaves nothing behind either: tmux would outlive it.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, async () => {
    await living.disposeAsync();
    Deno.kill(Deno.pid, "SIGKILL");
  });
}

/** Makes a world; everything that was started in it has ended when it is disposed of. */
export async function startWorld(way: Way): Promise<World> {
  const claude = await findClient();
  await using making = new AsyncDisposableStack();
  const home = making.use(tempHome());
  const model = making.use(startModel());
  let bus = await serve({ home });
  making.defer(() => killAll(home));
  making.defer(async () => void await bus.stop());
  const { port } = new URL(bus.url);

  const cwd = join(home.path, "work", "shop");
  home.write("work/shop/.git/HEAD", "ref: refs/heads/main\n");
  prepareHome(home, [cwd]);
  const tools = join(home.path, "tools");
  Deno.mkdirSync(tools);
  Deno.symlinkSync(claude, join(tools, "claude"));
  const path = [join(home.path, ".local", "bin"), tools, Deno.env.get("PATH") ?? ""].join(":");
  const setup: Setup = { claude, home, model: model.url, env: { ...surroundings(), PATH: path } };
  await install(setup, way, bus.url);

  const all = making.move();
  let end: Promise<void> | null = null;
  const world: World = {
    home,
    model,
    get bus() {
      return bus;
    },
    async stopBus() {
      await bus.stop();
    },
    async startBus() {
      bus = await serve({ home }, ["--port", port]);
    },
    claude: (...args) => runClaude(setup, cwd, [...UNATTENDED, ...args]),
    async start(...args) {
      const isNew = !args.includes("--resume");
      const id = isNew ? crypto.randomUUID() : args.at(-1) ?? "";
      const chosen = isNew ? ["--session-id", id] : [];
      const terminal = await startTerminal(setup, cwd, [...UNATTENDED, ...chosen, ...args]);
      all.defer(() => terminal.close());
      return sessionOf(world, terminal, id);
    },
    async events(filter = {}) {
      const { events } = await bus.call("get_events", { limit: 200, order: "asc", ...filter });
      return events;
    },
    async listed(sessionId) {
      const sessions = await bus.call("list_sessions", { include_ended: true });
      const list = sessions.result ?? sessions;
      return list.find((each: { session_id: string }) => each.session_id === sessionId);
    },
    processes: async () => (await processesOf(home)).filter(({ pid }) => pid !== bus.pid),
    [Symbol.asyncDispose]: () => end ??= all.disposeAsync(),
  };
  return living.use(world);
}

interface Process {
  readonly pid: number;
  readonly command: string;
}

/** The processes that have this home. */
async function processesOf(home: Home): Promise<Process[]> {
  const { stdout } = await new Deno.Command("ps", { args: ["axeww", "-o", "pid=,command="] })
    .output();
  return new TextDecoder().decode(stdout).split("\n")
    .filter((line) => line.includes(`HOME=${home.path} `))
    .map((line) => ({ pid: Number.parseInt(line), command: line.trim().slice(0, 200) }));
}

async function killAll(home: Home): Promise<void> {
  for (const { pid } of await processesOf(home)) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      // It has just ended by itself.
    }
    await until(`process ${pid} has ended`, () => !isAlive(pid));
  }
}

function sessionOf(world: World, terminal: Terminal, id: string): Session {
  const { model } = world;
  let client = id;
  const clientId = () => client = noteOf(world.home, terminal.pid)?.sessionId ?? client;
  const turns = () => {
    const now = clientId();
    return model.turns.filter(({ session }) => session === now);
  };
  const text = () => textOf(turns().at(-1)?.request.messages.map(({ content }) => ({ content })));
  const session: Session = {
    id,
    clientId,
    terminal,
    turns,
    text,
    ask: (...steps) => terminal.type(model.play(...steps)),
    async do(...steps) {
      const before = turns().length;
      await session.ask(...steps);
      await until(
        `${steps.length} steps were played`,
        () => turns().length - before >= steps.length,
        30_000,
        terminal.screen,
      );
      await session.idle();
    },
    async idle() {
      const isIdle = () => noteOf(world.home, terminal.pid)?.status === "idle";
      await until("the session is idle", isIdle, 30_000, terminal.screen);
    },
    async publish(args) {
      // The client connects in the background, and names the tools with the first prompt after that.
      await until(
        `${PUBLISH} is there`,
        async () => {
          if (text().includes(PUBLISH)) return true;
          await session.do(say("not yet"));
          return false;
        },
        30_000,
        text,
      );
      const before = (await world.events()).at(-1)?.id ?? 0;
      await session.do(
        use("ToolSearch", { query: `select:${PUBLISH}` }),
        use(PUBLISH, { ...args, session_id: id }),
        say("published"),
      );
      const event = (await world.events()).find((each) =>
        each.id > before && each.session_id === id && each.event_type === args.event_type
      );
      if (event === undefined) throw new Error(`Nothing was published:\n${text().slice(-2000)}`);
      return { id: event.id, at: Date.parse(event.timestamp) };
    },
    async exit() {
      await terminal.type("/exit");
      await until("the client has ended", () => !isAlive(terminal.pid));
    },
  };
  return session;
}

/** What the client itself writes down about its session. */
function noteOf(home: Home, pid: number): { sessionId: string; status: string } | null {
  try {
    const file = join(home.path, ".claude", "sessions", `${pid}.json`);
    return JSON.parse(Deno.readTextFileSync(file));
  } catch {
    return null; // It is just being written, or gone.
  }
}
