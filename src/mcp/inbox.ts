/** The inbox of a session as an MCP resource: what it has not read yet. Looking at it moves nothing. */
import {
  ProtocolError,
  ProtocolErrorCode,
  type ReadResourceResult,
  ResourceNotFoundError,
  type ResourceTemplateType,
} from "@modelcontextprotocol/server";
import type { Bus, Caller } from "../bus.ts";
import { sessionNotFound, speakerOf } from "../bus/speakers.ts";
import { BusError, errorBody } from "../errors.ts";
import { checkScope } from "../operations/access.ts";
import { getEvents } from "../operations/get_events.ts";
import { perform } from "../operations/perform.ts";

const PREFIX = "event-bus://inbox/";
const MIME_TYPE = "application/json";

/** How the inboxes are addressed; any session's, its id percent-encoded. */
export const INBOX: ResourceTemplateType = Object.freeze({
  uriTemplate: `${PREFIX}{session_id}`,
  name: "inbox",
  title: "Inbox",
  description: "What a session has not read yet; marks nothing. Subscribe for hints of changes",
  mimeType: MIME_TYPE,
});

/** Whose inbox an address names, or null when it is not the address of one. */
export function ownerOf(uri: string): string | null {
  if (!uri.startsWith(PREFIX)) return null;
  try {
    return decodeURIComponent(uri.slice(PREFIX.length)) || null;
  } catch {
    return null;
  }
}

/** What the session has not read, as `get_events` answers it to `resume` with `peek`. */
export async function readInbox(
  bus: Bus,
  uri: string,
  sessionId: string,
  caller: Caller,
): Promise<ReadResourceResult> {
  try {
    const page = await perform(
      bus,
      getEvents,
      { session_id: sessionId, resume: true, peek: true },
      { ...caller, looksOn: true },
    );
    return { contents: [{ uri, mimeType: MIME_TYPE, text: JSON.stringify(page) }] };
  } catch (refusal) {
    throw resourceError(uri, refusal);
  }
}

/** Refuses an inbox of nobody, of somebody else's session, or of one that has ended. */
export function checkOwner(bus: Bus, uri: string, sessionId: string, caller: Caller): void {
  try {
    checkScope(caller, getEvents.name, getEvents.scope);
    if (speakerOf(bus, sessionId, caller) === null) {
      throw sessionNotFound({ session_id: sessionId });
    }
  } catch (refusal) {
    throw resourceError(uri, refusal);
  }
}

/** A refusal of the bus as the protocol's error about a resource. */
function resourceError(uri: string, refusal: unknown): ProtocolError {
  const { error, ...details } = errorBody(refusal);
  if (details.code === "not_found") {
    return new ResourceNotFoundError(uri, `Resource not found: ${uri}: ${error}`);
  }
  const code = refusal instanceof BusError
    ? ProtocolErrorCode.InvalidParams
    : ProtocolErrorCode.InternalError;
  return new ProtocolError(code, `Cannot read ${uri}: ${error}`, { uri, ...details });
}
