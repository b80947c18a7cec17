import { parser } from "@prometheus-io/lezer-promql";

interface Selector {
  readonly metric: string;
  /** Of the series themselves. */
  readonly matchers: readonly { readonly label: string; readonly op: string; readonly value: string }[];
}

export interface Query {
  readonly selectors: readonly Selector[];
  /** Named in `by`, `on`, `without`, `ignoring` and the `group_…` modifiers. */
  readonly groupedBy: readonly string[];
}

/** What a PromQL query asks for. Throws where it is none. */
export function readQuery(text: string): Query {
  const tree = parser.parse(text);
  const selectors: Selector[] = [];
  const groupedBy: string[] = [];
  const textOf = (node: { from: number; to: number } | null) => (node ? text.slice(node.from, node.to) : "");
  tree.iterate({
    enter({ type, node, from }) {
      if (type.isError) throw new Error(`not PromQL at ${from}: ${text}`);
      if (type.name === "GroupingLabels") {
        groupedBy.push(...node.getChildren("LabelName").map(textOf));
      }
      if (type.name !== "VectorSelector") return;
      const matchers = node.getChild("LabelMatchers")?.getChildren("UnquotedLabelMatcher") ?? [];
      selectors.push({
        metric: textOf(node.getChild("Identifier")),
        matchers: matchers.map((matcher) => ({
          label: textOf(matcher.getChild("LabelName")),
          op: textOf(matcher.getChild("MatchOp")),
          value: textOf(matcher.getChild("StringLiteral")).slice(1, -1),
        })),
      });
    },
  });
  return { selectors, groupedBy };
}
