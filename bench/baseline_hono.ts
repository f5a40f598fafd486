/** The least that Hono can do: the same JSON to every POST. */
import { Hono } from "hono";
import { listen } from "./listen.ts";

const app = new Hono();
app.post("/v1/:operation", (c) => c.json({ event_id: 1 }));
listen(app.fetch);
