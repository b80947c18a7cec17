import { UMBRELLA } from "../command.ts";
import type { FlagValue, ToolWords } from "./tool-words.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** A script that the shell reads once; it asks nobody while a person types. */
export function completionScript(shell: Shell, tools: readonly ToolWords[]): string {
  if (shell === "fish") return fishScript(tools);
  return shell === "bash" ? bashScript(tools) : zshScript(tools);
}

function bashScript(tools: readonly ToolWords[]): string {
  const reply = (words: readonly string[]) => `COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$cur"))`;
  return `# cim-replay: completion for bash
_cim_replay() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD - 1]}" tool="\${COMP_WORDS[0]##*/}"
  COMPREPLY=()
  if [[ $tool == ${UMBRELLA} ]]; then
    if ((COMP_CWORD == 1)); then ${reply(tools.map(({ name }) => name))}; return; fi
    tool="\${COMP_WORDS[1]}"
  fi
${valueCases(tools, { words: reply, file: "compopt -o default", other: ":" })}
${flagCases(tools, reply)}
}
complete -F _cim_replay ${commandsOf(tools).join(" ")}
`;
}

function zshScript(tools: readonly ToolWords[]): string {
  const reply = (words: readonly string[]) => `compadd -- ${words.join(" ")}`;
  return `#compdef ${commandsOf(tools).join(" ")}
# cim-replay: completion for zsh
_cim_replay() {
  local prev="\${words[CURRENT - 1]}" tool="\${words[1]:t}"
  if [[ $tool == ${UMBRELLA} ]]; then
    if ((CURRENT == 2)); then ${reply(tools.map(({ name }) => name))}; return; fi
    tool="\${words[2]}"
  fi
${valueCases(tools, { words: reply, file: "_files", other: ":" })}
${flagCases(tools, reply)}
}
compdef _cim_replay ${commandsOf(tools).join(" ")}
`;
}

interface Replies {
  readonly words: (words: readonly string[]) => string;
  readonly file: string;
  readonly other: string;
}

function valueCases(tools: readonly ToolWords[], replies: Replies): string {
  const cases = new Map<string, string[]>();
  for (const tool of tools) {
    for (const flag of tool.flags) {
      const reply = replyTo(flag.value, replies);
      if (reply === null) continue;
      const typed = namesOf(tool).map((name) => `"${name} ${flag.name}"`);
      cases.set(reply, [...(cases.get(reply) ?? []), ...typed]);
    }
  }
  const lines = [...cases].map(([reply, flags]) => `    ${flags.join(" | ")}) ${reply}; return ;;`);
  return ['  case "$tool $prev" in', ...lines, "  esac"].join("\n");
}

function replyTo(value: FlagValue, { words, file, other }: Replies): string | null {
  if (value.kind === "words") return words(value.words);
  if (value.kind === "none") return null;
  return value.kind === "file" ? file : other;
}

function flagCases(tools: readonly ToolWords[], reply: Replies["words"]): string {
  const lines = tools.map((tool) => {
    const { args, flags } = tool;
    return `    ${namesOf(tool).join(" | ")}) ${reply([...args, ...flags.map((flag) => flag.name)])} ;;`;
  });
  return ['  case "$tool" in', ...lines, "  esac"].join("\n");
}

function fishScript(tools: readonly ToolWords[]): string {
  const lines = ["# cim-replay: completion for fish", `complete -c ${UMBRELLA} -f`];
  for (const tool of tools) {
    const { name, summary, bin } = tool;
    lines.push(`complete -c ${UMBRELLA} -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`);
    lines.push(...fishFlags(`${UMBRELLA} -n '__fish_seen_subcommand_from ${name}'`, tool));
    if (bin !== null) lines.push(`complete -c ${bin} -f`, ...fishFlags(bin, tool));
  }
  return `${lines.join("\n")}\n`;
}

function fishFlags(command: string, { args, flags }: ToolWords): string[] {
  const words = args.length > 0 ? [`complete -c ${command} -a '${args.join(" ")}'`] : [];
  return [
    ...words,
    ...flags.map(({ name, help, value }) => {
      return `complete -c ${command} -l ${name.slice(2)}${fishValue(value)} -d ${quoted(help)}`;
    }),
  ];
}

function fishValue(value: FlagValue): string {
  if (value.kind === "none") return "";
  if (value.kind === "file") return " -r -F";
  return value.kind === "words" ? ` -x -a '${value.words.join(" ")}'` : " -x";
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function commandsOf(tools: readonly ToolWords[]): string[] {
  return [UMBRELLA, ...tools.map(({ bin }) => bin).filter((bin) => bin !== null)];
}

/** As a word of `cim-replay`, and as a tool where that is called otherwise. */
function namesOf({ name, bin }: ToolWords): string[] {
  return bin === null || bin === name ? [name] : [name, bin];
}
