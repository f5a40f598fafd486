/**
 * A message bus with a notification service on it, as far as notify-send needs one: what a real
 * notify-send asks a desktop to show can be seen without a desktop.
 */

/** What the desktop was asked to show, as it arrived. */
export interface Notification {
  app: string;
  icon: string;
  title: string;
  body: string;
}

export interface NotificationService {
  /** For `DBUS_SESSION_BUS_ADDRESS`. */
  address: string;
  shown: Notification[];
  close(): Promise<void>;
}

const REPLY = 2;
const ERROR = 3;
/** Header fields of the D-Bus wire format. */
const FIELD = { member: 3, errorName: 4, replySerial: 5, signature: 8 };
const BEGIN = "BEGIN\r\n";

/** Listens on a socket at `path` until it is closed. */
export function startNotificationService(path: string): NotificationService {
  const listener = Deno.listen({ transport: "unix", path });
  const shown: Notification[] = [];
  const talks: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      talks.push(talk(connection, shown).catch(unlessGone).finally(() => close(connection)));
    }
  })();
  return {
    address: `unix:path=${path}`,
    shown,
    async close() {
      listener.close();
      await accepting;
      await Promise.all(talks);
    },
  };
}

function unlessGone(error: unknown): void {
  const gone = error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionReset;
  if (!gone) throw error;
}

/** A client that leaves without a word has closed it already. */
function close(connection: Deno.UnixConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

async function talk(connection: Deno.UnixConn, shown: Notification[]): Promise<void> {
  let pending = new Uint8Array();
  let greeted = false;
  let serial = 0;
  for await (const chunk of connection.readable) {
    pending = new Uint8Array([...pending, ...chunk]);
    if (!greeted) {
      const text = new TextDecoder("latin1").decode(pending);
      const lines = text.split("\r\n");
      for (const line of lines.slice(0, -1)) await write(connection, answerLine(line));
      const begin = text.indexOf(BEGIN);
      greeted = begin >= 0;
      pending = greeted
        ? pending.slice(begin + BEGIN.length)
        : pending.slice(text.length - (lines.at(-1) ?? "").length);
    }
    while (greeted && pending.length >= 16) {
      const size = sizeOf(pending);
      if (pending.length < size) break;
      const answer = answerCall(pending.slice(0, size), ++serial, shown);
      pending = pending.slice(size);
      await write(connection, answer);
    }
  }
}

async function write(connection: Deno.UnixConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** The lines with which a connection begins; anybody is let in. */
function answerLine(line: string): Uint8Array {
  const command = line.replace("\0", "");
  const answers: [string, string][] = [
    ["AUTH EXTERNAL ", "OK 0123456789abcdef0123456789abcdef"],
    ["AUTH EXTERNAL", "DATA"],
    ["DATA", "OK 0123456789abcdef0123456789abcdef"],
    ["AUTH", "REJECTED EXTERNAL"],
    ["BEGIN", ""],
    ["", "ERROR"],
  ];
  const answer = answers.find(([start]) => command.startsWith(start))?.[1] ?? "";
  return new TextEncoder().encode(answer === "" ? "" : `${answer}\r\n`);
}

function sizeOf(message: Uint8Array): number {
  const view = new DataView(message.buffer, message.byteOffset);
  return align(16 + view.getUint32(12, true), 8) + view.getUint32(4, true);
}

function answerCall(message: Uint8Array, serial: number, shown: Notification[]): Uint8Array {
  const view = new DataView(message.buffer, message.byteOffset);
  const call = view.getUint32(8, true);
  const body = align(16 + view.getUint32(12, true), 8);
  const member = memberOf(message);
  if (member === "Notify") {
    const reader = new Reader(message, body);
    const app = reader.string();
    reader.uint32();
    const [icon, title, text] = [reader.string(), reader.string(), reader.string()];
    shown.push({ app, icon, title, body: text });
  }
  if (member === "Notify" || member === "StartServiceByName") {
    return encode(REPLY, serial, call, new Writer().uint32(1), "u");
  }
  const strings: Record<string, string[]> = {
    Hello: [":1.1"],
    GetNameOwner: [":1.2"],
    GetServerInformation: ["stand-in", "tests", "1", "1.2"],
    AddMatch: [],
    RemoveMatch: [],
  };
  const answer = strings[member];
  if (answer === undefined) return encode(ERROR, serial, call, new Writer(), "");
  const writer = new Writer();
  for (const text of answer) writer.string(text);
  return encode(REPLY, serial, call, writer, "s".repeat(answer.length));
}

function memberOf(message: Uint8Array): string {
  const reader = new Reader(message, 12);
  const end = 16 + reader.uint32();
  while (reader.at < end) {
    reader.pad(8);
    const field = reader.byte();
    const type = reader.signature();
    const value = type === "u"
      ? `${reader.uint32()}`
      : type === "g"
      ? reader.signature()
      : reader.string();
    if (field === FIELD.member) return value;
  }
  return "";
}

function encode(type: number, serial: number, to: number, body: Writer, signature: string) {
  const writer = new Writer();
  for (const byte of ["l".charCodeAt(0), type, 0, 1]) writer.byte(byte);
  writer.uint32(body.bytes.length).uint32(serial).uint32(0);
  writer.byte(FIELD.replySerial).signature("u").uint32(to);
  if (type === ERROR) {
    writer.pad(8).byte(FIELD.errorName).signature("s");
    writer.string("org.freedesktop.DBus.Error.UnknownMethod");
  }
  if (signature !== "") {
    writer.pad(8).byte(FIELD.signature).signature("g").signature(signature);
  }
  const fields = writer.bytes.length - 16;
  writer.pad(8);
  const bytes = new Uint8Array([...writer.bytes, ...body.bytes]);
  new DataView(bytes.buffer).setUint32(12, fields, true);
  return bytes;
}

function align(at: number, to: number): number {
  return Math.ceil(at / to) * to;
}

class Reader {
  constructor(private readonly bytes: Uint8Array, public at: number) {}
  pad(to: number): void {
    this.at = align(this.at, to);
  }
  byte(): number {
    return this.bytes[this.at++] ?? 0;
  }
  uint32(): number {
    this.pad(4);
    this.at += 4;
    return new DataView(this.bytes.buffer, this.bytes.byteOffset).getUint32(this.at - 4, true);
  }
  string(): string {
    return this.text(this.uint32());
  }
  signature(): string {
    return this.text(this.byte());
  }
  private text(length: number): string {
    const start = this.at;
    this.at += length + 1;
    return new TextDecoder().decode(this.bytes.subarray(start, start + length));
  }
}

class Writer {
  readonly bytes: number[] = [];
  pad(to: number): this {
    while (this.bytes.length % to !== 0) this.bytes.push(0);
    return this;
  }
  byte(value: number): this {
    this.bytes.push(value);
    return this;
  }
  uint32(value: number): this {
    this.pad(4);
    for (let shift = 0; shift < 32; shift += 8) this.bytes.push((value >>> shift) & 255);
    return this;
  }
  string(text: string): this {
    const encoded = new TextEncoder().encode(text);
    this.uint32(encoded.length);
    this.bytes.push(...encoded, 0);
    return this;
  }
  signature(text: string): this {
    this.bytes.push(text.length, ...new TextEncoder().encode(text), 0);
    return this;
  }
}
