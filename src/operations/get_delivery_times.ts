import { z } from "zod";
import { deliveryTimes } from "../bus/delivery.ts";
import { operation, READS } from "./operation.ts";

/** What "lately" means to somebody who looks. */
const WINDOW_MS = 60 * 60 * 1000;

const milliseconds = z.int().nullable();

export const getDeliveryTimes = operation({
  name: "get_delivery_times",
  title: "Get delivery times",
  description: "How long events of the last hour took from publish to seen, in milliseconds.",
  input: z.strictObject({}),
  output: z.object({
    window_seconds: z.int(),
    count: z.int(),
    p50_ms: milliseconds,
    p95_ms: milliseconds,
    p99_ms: milliseconds,
  }),
  annotations: READS,
  scope: "read",
  tool: false,
  writes: false,
  run(bus, _input, call) {
    const { count, p50, p95, p99 } = deliveryTimes(bus, call.now - WINDOW_MS);
    return { window_seconds: WINDOW_MS / 1000, count, p50_ms: p50, p95_ms: p95, p99_ms: p99 };
  },
});
