import { z } from "zod";
import { countUnseen } from "../bus/handing.ts";
import { countPeers, findKnown } from "../bus/sessions.ts";
import { sessionNotFound } from "../bus/speakers.ts";
import { operation, READS } from "./operation.ts";
import { sessionToWire, wireSession } from "./session_wire.ts";
import { sessionId } from "./wire.ts";

export const getSession = operation({
  name: "get_session",
  title: "Get session",
  description:
    "One session, by any of its ids or its client's, how many others there are, and how " +
    "much its next prompts will show it. For a status line: no sign of the session's life.",
  input: z.strictObject({ session_id: sessionId }),
  output: wireSession.extend({ peers: z.int(), unseen: z.int() }),
  annotations: READS,
  scope: "read",
  tool: false,
  writes: false,
  run(bus, { session_id }, call) {
    const session = findKnown(bus, session_id, call);
    if (session === null) throw sessionNotFound({ session_id });
    return {
      ...sessionToWire(bus, session, call.now),
      peers: countPeers(bus, session),
      unseen: countUnseen(bus, session),
    };
  },
});
