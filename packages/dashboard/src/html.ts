import { escapeHtml } from "@cim-replay/core";

/** Markup that is safe to send: only `html` makes it, and whatever else is put into it is escaped. */
export class Html {
  readonly text: string;

  private constructor(text: string) {
    this.text = text;
  }

  /** For `html` alone, and for markup that this package's own files hold. */
  static trusted(text: string): Html {
    return new Html(text);
  }
}

export type Insertable = Html | string | number | boolean | null | undefined | readonly Insertable[];

/**
 * A template of markup. What is inserted is escaped, for text and for quoted attributes alike, unless it is `Html` itself;
 * `null`, `undefined` and `false` are nothing.
 */
export function html(parts: TemplateStringsArray, ...inserted: readonly Insertable[]): Html {
  let text = parts[0] ?? "";
  for (let i = 0; i < inserted.length; i++) text += insertable(inserted[i]) + (parts[i + 1] ?? "");
  return Html.trusted(text);
}

function insertable(value: Insertable): string {
  if (value === null || value === undefined || value === false) return "";
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map(insertable).join("");
  return escapeHtml(String(value));
}
