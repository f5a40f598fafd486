/** Stands in for an OpenTelemetry collector: takes what is exported as OTLP over HTTP in JSON. */

export interface Span {
  readonly scope: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  /** 2 is a failure. */
  readonly status: number;
  readonly attributes: Readonly<Record<string, string>>;
  /** Everything about it, as it came. */
  readonly text: string;
}

export interface Collector extends AsyncDisposable {
  /** The variables that make a program of Deno's export to it. */
  readonly env: Record<string, string>;
  readonly spans: Span[];
  /** How many requests came, of spans or anything else. */
  readonly requests: number;
}

export function collector(): Collector {
  const spans: Span[] = [];
  let requests = 0;
  const end = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, signal: end.signal, onListen() {} },
    async (request) => {
      requests++;
      const body = await request.json();
      if (new URL(request.url).pathname === "/v1/traces") spans.push(...spansOf(body));
      return Response.json({});
    },
  );
  return {
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${server.addr.port}`,
    },
    spans,
    get requests() {
      return requests;
    },
    async [Symbol.asyncDispose]() {
      end.abort();
      await server.finished;
    },
  };
}

interface Exported {
  resourceSpans: {
    scopeSpans: {
      scope: { name: string };
      spans: {
        name: string;
        traceId: string;
        spanId: string;
        parentSpanId: string;
        status: { code: number };
        attributes: { key: string; value: Record<string, unknown> }[];
      }[];
    }[];
  }[];
}

function spansOf({ resourceSpans }: Exported): Span[] {
  return resourceSpans.flatMap(({ scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        ...span,
        scope: scope.name,
        status: span.status.code,
        attributes: Object.fromEntries(
          span.attributes.map(({ key, value }) => [key, String(Object.values(value)[0])]),
        ),
        text: JSON.stringify(span),
      }))
    )
  );
}
