/** Passes the body of an answer on, and says what becomes of it. */

export interface Relayed {
  /** Whoever reads has taken what there was, and would take more. */
  wanted?(): void;
  /** The last byte is through, or nobody reads any more. Called once. */
  ended(): void;
}

/** The same answer, watched. One without a body has ended already. */
export function relay(response: Response, { wanted, ended }: Relayed): Response {
  if (response.body === null) {
    ended();
    return response;
  }
  const reader = response.body.getReader();
  let over = false;
  const end = () => {
    if (!over) ended();
    over = true;
  };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      wanted?.();
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        end();
        controller.close();
      } catch (failure) {
        end();
        controller.error(failure);
      }
    },
    cancel(reason) {
      end();
      return reader.cancel(reason);
    },
  });
  return new Response(body, { status: response.status, headers: response.headers });
}

/** Whether an answer is a stream of the SDK's, which names no charset. */
export const isStream = ({ headers }: Response): boolean =>
  headers.get("content-type") === "text/event-stream";
