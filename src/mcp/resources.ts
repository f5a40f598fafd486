/** What can be read as MCP resources, and what can be followed. */
import {
  ProtocolError,
  ProtocolErrorCode,
  type ReadResourceResult,
  type Resource,
  ResourceNotFoundError,
  type ResourceTemplateType,
} from "@modelcontextprotocol/server";
import type { Bus, Caller } from "../bus.ts";
import { tip } from "../store/events.ts";
import { type Follower, MAX_FOLLOWED } from "./follower.ts";
import { GUIDE, isGuide, readGuide } from "./guide.ts";
import { checkOwner, INBOX, ownerOf, readInbox } from "./inbox.ts";

export interface Resources {
  readonly list: readonly Resource[];
  readonly templates: readonly ResourceTemplateType[];
  /** The content of a resource; throws the protocol's error for one that does not exist. */
  read(uri: string, caller: Caller): Promise<ReadResourceResult>;
  /**
   * Lets `follower` be told of changes. Answers whether there can be any; throws the protocol's
   * error when what would change does not exist, or is not the caller's to follow.
   */
  subscribe(uri: string, follower: Follower, caller: Caller): boolean;
}

/** The guide, and the inbox of every session of `bus`. */
export function createResources(bus: Bus): Resources {
  return {
    list: [GUIDE],
    templates: [INBOX],
    async read(uri, caller) {
      if (isGuide(uri)) return readGuide(uri);
      const owner = ownerOf(uri);
      if (owner === null) throw new ResourceNotFoundError(uri);
      return await readInbox(bus, uri, owner, caller);
    },
    subscribe(uri, follower, caller) {
      // The guide never changes. Of what is not ours the protocol lets clients ask all the same.
      if (isGuide(uri) || !uri.startsWith("event-bus:")) return false;
      const owner = ownerOf(uri);
      if (owner === null) throw new ResourceNotFoundError(uri);
      checkOwner(bus, uri, owner, caller);
      if (!follower.canFollow(uri)) throw tooMany();
      follower.follow(uri, owner, tip(bus.store));
      return true;
    },
  };
}

function tooMany(): ProtocolError {
  return new ProtocolError(
    ProtocolErrorCode.InvalidParams,
    `Cannot follow more than ${MAX_FOLLOWED} inboxes; unsubscribe from one first`,
  );
}
