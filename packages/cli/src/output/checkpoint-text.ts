import type { NamedCheckpoint, WrittenArchive } from "@cim-replay/archive";
import { formatCount, formatSize } from "@cim-replay/core";
import { backupJson, backupText } from "./archive-text.ts";
import { renderTable } from "./table.ts";

export function checkpointText(written: WrittenArchive, name: string): string {
  const target = written.manifest.bucket.name;
  return `${backupText(written, name, "checkpoint")}\n\nGo back to it: restore-checkpoint --name ${name} --target ${target}`;
}

export function checkpointJson(written: WrittenArchive, name: string): object {
  return { name, ...backupJson(written) };
}

export function checkpointListText(checkpoints: readonly NamedCheckpoint[]): string {
  return renderTable<NamedCheckpoint>(
    [
      { title: "name", value: ({ name }) => name },
      { title: "taken", value: ({ taken_at }) => taken_at },
      { title: "bucket", value: ({ bucket }) => bucket },
      { title: "domains", value: ({ domains }) => domains.map(({ name }) => name).join(",") },
      { title: "entries", align: "right", value: ({ entries }) => formatCount(entries) },
      { title: "size", align: "right", value: ({ bytes }) => formatSize(bytes) },
      { title: "streams at", value: streamsText },
      { title: "made", value: ({ automatic }) => (automatic ? "by itself" : "by hand") },
    ],
    checkpoints,
  );
}

function streamsText({ domains }: NamedCheckpoint): string {
  const positions = domains.flatMap(({ stream }) => (stream ? [`${stream.name} ${formatCount(stream.last_seq)}`] : []));
  return [...new Set(positions)].join(", ") || "–";
}
