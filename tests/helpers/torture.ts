/** Whether `deno task torture` asks for the long forms of tests. */
export const TORTURE = Deno.env.get("EVENT_BUS_TEST_TORTURE") === "1";
