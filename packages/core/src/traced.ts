import { type Attributes, type Span, SpanStatusCode, trace } from "@opentelemetry/api";

/**
 * Does the work within a span of OpenTelemetry, below the one that is active; where nobody collects spans it costs nothing
 * worth counting. What is thrown is recorded and thrown on.
 */
export function traced<Result>(
  name: string,
  attributes: Attributes,
  work: (span: Span) => Promise<Result>,
): Promise<Result> {
  return trace.getTracer("cim-replay").startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message });
      throw error;
    } finally {
      span.end();
    }
  });
}
