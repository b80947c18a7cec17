import { hash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { domainSettingsSchema } from "@cim-replay/core";
import { EntryWriter, type NatsClient, readEntries } from "@cim-replay/nats";
import type { DomainSource } from "./backup-projections.ts";
import { packingOf } from "./compression.ts";
import { paddingOf, TAR_BLOCK, TAR_END, tarHeader } from "./tar-write.ts";

export interface Wanted {
  readonly key: string;
  readonly value: string | Uint8Array;
}

export function sourceOf(name: string, stream = "NONE"): DomainSource {
  return { name, settings: domainSettingsSchema.parse({ stream }) };
}

/** Each with a provenance of its own. */
export async function fill(client: NatsClient, bucket: string, entries: readonly Wanted[]): Promise<void> {
  const writer = new EntryWriter(client, bucket);
  for (const [i, { key, value }] of entries.entries()) {
    const provenance = {
      run: `r${i % 3}`,
      epoch: i + 1,
      lastSeq: i + 10,
      events: i + 2,
      sha256: hash("sha256", value),
    };
    await writer.put(key, value, provenance, 0);
  }
  const { refused } = await writer.flush();
  if (refused.length > 0) throw new Error(`refused: ${refused}`);
}

/** Key, bytes and provenance of everything in a bucket, by key. */
export async function contentOf(client: NatsClient, bucket: string): Promise<unknown[]> {
  const content: [string, string, unknown][] = [];
  for await (const batch of readEntries(client, bucket, ">")) {
    for (const { key, value, provenance } of batch) content.push([key, Buffer.from(value).toString("hex"), provenance]);
  }
  return content.sort(([a], [b]) => (a < b ? -1 : 1));
}

export interface Piece {
  readonly path: string;
  readonly body: Buffer;
}

/** The members of an archive, and the other way round: a sealed one of whatever members. */
export function piecesOf(archive: Buffer): Piece[] {
  return tarPieces(gunzipSync(archive));
}

export function tarPieces(tar: Buffer): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; tar[at] !== 0; ) {
    const path = tar.toString("latin1", at, at + 100).replace(/\0.*$/s, "");
    const size = Number.parseInt(tar.toString("latin1", at + 124, at + 135), 8);
    pieces.push({ path, body: tar.subarray(at + TAR_BLOCK, at + TAR_BLOCK + size) });
    at += TAR_BLOCK + size + paddingOf(size);
  }
  return pieces;
}

export function tarOf(pieces: readonly Piece[]): Buffer {
  const blocks = pieces.flatMap(({ path, body }) => [
    tarHeader(path, body.length),
    body,
    Buffer.alloc(paddingOf(body.length)),
  ]);
  return Buffer.concat([...blocks, TAR_END]);
}

export function writeSealed(path: string, tar: Buffer): string {
  const body = gzipSync(tar);
  writeFileSync(path, Buffer.concat([body, packingOf("gzip").seal(hash("sha256", body))]));
  return path;
}

/** The pieces with their manifest changed and, unless `change` does it, its hashes made to fit the members. */
export function withManifest(pieces: readonly Piece[], change: (manifest: Record<string, unknown>) => object): Piece[] {
  const chunks = pieces.filter(({ path }) => path !== "manifest.json");
  const members = chunks.map(({ path, body }) => ({
    ...{ path, bytes: body.length, sha256: hash("sha256", body) },
    records: body.toString("utf8").split("\n").length - 1,
  }));
  const old = JSON.parse(String(pieces.find(({ path }) => path === "manifest.json")?.body));
  const entries = members.reduce((sum, { path, records }) => sum + (path.startsWith("entries/") ? records : 0), 0);
  const manifest = { ...old, members, entries, ...change(old) };
  return [...chunks, { path: "manifest.json", body: Buffer.from(JSON.stringify(manifest)) }];
}
