import { connectNats } from "@cim-replay/nats";
import { Kvm } from "@nats-io/kv";

/** What the runbooks need of the `nats` tool, against the real server; anything else it refuses, as the tool does. */
const words = process.argv.slice(2);
const { NATS_URL = "" } = process.env;
const client = await connectNats({ url: NATS_URL, name: "nats" });
try {
  await obey(words);
} finally {
  await client.close();
}

async function obey([noun, verb, name, what, ...rest]: readonly string[]): Promise<void> {
  const call = `${noun} ${verb}`;
  if (call === "kv del" && name && what && rest.every((word) => word === "-f")) {
    await (await new Kvm(client.js).open(name)).delete(what);
  } else if (call === "kv get" && name && what) {
    const entry = await (await new Kvm(client.js).open(name)).get(what);
    if (!entry) throw new Error(`no key ${what}`);
    process.stdout.write(`${entry.string()}\n`);
  } else if (call === "kv ls" && name) {
    for await (const key of await (await new Kvm(client.js).open(name)).keys()) process.stdout.write(`${key}\n`);
  } else if (noun === "pub" && verb && name && what === undefined) {
    await client.js.publish(verb, name);
  } else if (call === "stream info" && name && what === "-j") {
    const info = await client.jsm.streams.info(name);
    process.stdout.write(`${JSON.stringify(info)}\n`);
  } else {
    process.stderr.write(`nats: error: unknown command or flag: ${words.join(" ")}\n`);
    process.exitCode = 1;
  }
}
