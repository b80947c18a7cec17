import { Argument } from "commander";
import type { CommandModule } from "../command.ts";
import { completionScript, SHELLS } from "../completion/scripts.ts";
import { toolWords } from "../completion/tool-words.ts";
import { EXIT } from "../exit-status.ts";

export const command: CommandModule = {
  configure(parser) {
    parser.addArgument(new Argument("<shell>", "whose completion").choices([...SHELLS]));
    parser.addHelpText(
      "after",
      `
bash:  source <(cim-replay completion bash)           in ~/.bashrc
zsh:   source <(cim-replay completion zsh)            in ~/.zshrc, after compinit
fish:  cim-replay completion fish | source            in ~/.config/fish/config.fish`,
    );
  },
  async run({ args, print, commands }) {
    const shell = SHELLS.find((name) => name === args[0]);
    if (shell === undefined) throw new Error(`no shell is called ${args[0]}`);
    print(completionScript(shell, await Promise.all(commands.map(toolWords))));
    return EXIT.done;
  },
};
