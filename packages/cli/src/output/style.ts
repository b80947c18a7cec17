import { styleText } from "node:util";

type Accent = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
export type Style = (accent: Accent, text: string) => string;

export const plain: Style = (_, text) => text;

/** Colours where the stream is a terminal and neither NO_COLOR nor a dumb terminal says otherwise. */
export function styleFor(stream: { isTTY?: boolean }, env: Readonly<Record<string, string | undefined>>): Style {
  const wanted = stream.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
  return wanted ? (accent, text) => styleText(accent, text, { validateStream: false }) : plain;
}
