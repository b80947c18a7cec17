import { hash } from "node:crypto";
import { DeletedSequences, type UnitCounts } from "@cim-replay/core";
import { describe, expect, it } from "vitest";
import type { DiscrepancyKind } from "./discrepancies.ts";
import { codec, judge, makeWorld, type FakeMessage, type World } from "./world.fixture.ts";

/** Does harm and says of what kind, and to which entry or partition, it must be called. */
type Corruption = (world: World) => { kind: DiscrepancyKind; key?: string; partition?: number };

function one<T>({ random }: World, from: Iterable<T>): T {
  const all = [...from];
  return all[Math.floor(random() * all.length)] as T;
}

function two<T>(world: World, from: Iterable<T>): [T, T] {
  const all = [...from];
  const first = one(world, all);
  return [
    first,
    one(
      world,
      all.filter((other) => other !== first),
    ),
  ];
}

function entry(world: World) {
  const [key, value] = one(world, world.values);
  return { key, value };
}

function ownEvents(world: World): FakeMessage[] {
  return world.messages.filter(({ subject }) => codec.route(subject));
}

function keyOf({ subject }: FakeMessage): string {
  return `shop.${codec.route(subject)}`;
}

function flipped(text: string, random: () => number): string {
  const at = Math.floor(random() * text.length);
  return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1);
}

function aUnit(world: World) {
  return world.units.indexOf(one(world, world.units));
}

/** One of those that fold. */
function aFolder(world: World) {
  return one(
    world,
    world.units.filter(({ kind }) => kind === "partition"),
  );
}

const corruptions: Record<string, Corruption> = {
  "a bit of a value": (world) => {
    const { key, value } = entry(world);
    value.text = flipped(value.text, world.random);
    return { kind: "altered", key };
  },
  "a bit of a value, with a hash that fits": (world) => {
    const { key, value } = entry(world);
    value.text = flipped(value.text, world.random);
    value.stated.sha256 = hash("sha256", value.text);
    return { kind: "value", key };
  },
  "a key that is missing": (world) => {
    const { key } = entry(world);
    world.values.delete(key);
    return { kind: "missing", key };
  },
  "a key too many": (world) => {
    const { value } = entry(world);
    world.values.set("shop.intruder", value);
    return { kind: "extra", key: "shop.intruder" };
  },
  "two values swapped": (world) => {
    const [[key, a], [, b]] = two(world, world.values);
    [a.text, b.text] = [b.text, a.text];
    return { kind: "altered", key };
  },
  "two entries swapped with their headers": (world) => {
    const [[key, a], [other, b]] = two(world, world.values);
    world.values.set(key, b).set(other, a);
    return { kind: "count", key };
  },
  "an entry that says another number of events": (world) => {
    const { key, value } = entry(world);
    value.stated.events += 1;
    return { kind: "count", key };
  },
  "an entry that says another last sequence": (world) => {
    const { key, value } = entry(world);
    value.stated.lastSeq += 1;
    return { kind: "count", key };
  },
  "an event altered at equal length": (world) => {
    const event = one(world, ownEvents(world));
    event.data = Buffer.from(`${Buffer.from(event.data)}`.replace("abcdefgh", "abcdefgi"));
    return { kind: "value", key: keyOf(event) };
  },
  "two events of an aggregate swapped": (world) => {
    const [a, b] = two(world, mostEvents(world));
    [a.data, b.data] = [b.data, a.data];
    return { kind: "value", key: keyOf(a) };
  },
  "one event dropped and another doubled": (world) => {
    const [a, b] = two(world, mostEvents(world));
    a.data = b.data;
    return { kind: "content" };
  },
  "an event of one aggregate given to another": (world) => {
    const [a, b] = two(world, world.index.keys());
    const event = one(
      world,
      ownEvents(world).filter(({ subject }) => codec.route(subject) === a),
    );
    event.subject = event.subject.replace(`.${a}.`, `.${b}.`);
    return { kind: "count" };
  },
  "an event that is gone": (world) => {
    const event = one(world, ownEvents(world));
    world.messages.splice(world.messages.indexOf(event), 1);
    return { kind: "count", key: keyOf(event) };
  },
  "a message deleted since": (world) => {
    const { seq } = one(world, world.messages);
    const gone = world.deleted.ranges.flatMap(({ fromSeq, toSeq }) =>
      Array.from({ length: toSeq - fromSeq + 1 }, (_, i) => fromSeq + i),
    );
    world.deleted = DeletedSequences.fromList([...gone, seq], world.plan.range);
    return { kind: "source" };
  },
  "a partition's content digest": (world) => {
    const unit = aFolder(world);
    const at = Math.floor(world.random() * (unit.contentByPartition.length ?? 0));
    const digest = unit.contentByPartition[at];
    if (digest) digest.sha256 = hash("sha256", digest.sha256);
    return { kind: "content", partition: partitionAt(world, unit.id, at) };
  },
  "a partition's entries digest": (world) => {
    const unit = aFolder(world);
    const at = Math.floor(world.random() * (unit.entriesByPartition.length ?? 0));
    const digest = unit.entriesByPartition[at];
    if (digest) digest.sha256 = hash("sha256", digest.sha256);
    return { kind: "entries", partition: partitionAt(world, unit.id, at) };
  },
  "a figure of a unit": (world) => {
    const unit = world.units[aUnit(world)];
    const figures = ["delivered", "deleted", "foreign", "elsewhere", "applied", "parked"] as const;
    const figure: keyof UnitCounts = one(world, figures);
    if (unit) unit.counts[figure] += 1;
    return { kind: "unit" };
  },
  "a message moved from one slice to another in a unit's record": (world) => {
    const unit = world.units[aUnit(world)];
    const [a, b] = two(world, world.plan.slices.keys());
    if (unit) {
      unit.deliveredBySlice[a] = (unit.deliveredBySlice[a] ?? 0) + 1;
      unit.deliveredBySlice[b] = (unit.deliveredBySlice[b] ?? 0) - 1;
    }
    return { kind: "unit" };
  },
  "a unit that is not done": (world) => {
    const at = aUnit(world);
    const unit = world.units[at];
    if (unit) world.units[at] = { ...unit, state: "running" };
    return { kind: "unit" };
  },
  "a unit without a record": (world) => {
    world.units.splice(aUnit(world), 1);
    return { kind: "unit" };
  },
  "a slice that is missing": (world) => {
    world.plan.slices.splice(Math.floor(world.random() * world.plan.slices.length), 1);
    return { kind: "plan" };
  },
  "a partition in two units": (world) => {
    const unit = one(world, world.plan.units);
    world.plan.units.push({ id: "u9", partitions: unit.partitions.slice(0, 1) });
    return { kind: "plan" };
  },
  "a partition that begins too late": (world) => {
    const partition = one(world, world.plan.partitions);
    partition.fromKey = "fffffffe";
    return { kind: "plan" };
  },
  "a stream made anew": (world) => {
    world.stream = { ...world.stream, created: "now" };
    return { kind: "source" };
  },
};

/** Of worlds whose events were shuffled: the figures of those who packed slices. */
const shuffled: Record<string, Corruption> = {
  "an event that was routed to another partition": (world) => {
    const unit = aSlice(world);
    const [from, to] = [0, unit.deliveredByPartition.length > 1 ? 1 : 0];
    unit.deliveredByPartition[from] = (unit.deliveredByPartition[from] ?? 0) + 1;
    unit.deliveredByPartition[to] = (unit.deliveredByPartition[to] ?? 0) - (from === to ? 2 : 1);
    return { kind: "unit" };
  },
  "an event that was packed and not routed": (world) => {
    const packed = one(world, aSlice(world).packed);
    packed.events += 1;
    return { kind: "unit" };
  },
  "an event that came to one of two sharers twice": (world) => {
    const sharer = world.units.find(({ heirOf }) => heirOf !== null) ?? one(world, folders(world));
    sharer.deliveredBySlice[0] = (sharer.deliveredBySlice[0] ?? 0) + 1;
    // Its own sums are right again.
    sharer.counts.delivered += 1;
    sharer.counts.elsewhere += 1;
    return { kind: "unit" };
  },
  "an event that a sharer left to the other, which is its own": (world) => {
    const sharer = world.units.find(({ heirOf }) => heirOf !== null) ?? one(world, folders(world));
    sharer.counts.elsewhere += 1;
    sharer.counts.applied -= 1;
    return { kind: "unit" };
  },
  "an event that was packed for another unit, which a slice's sums do not show": (world) => {
    const { packed } = aSlice(world);
    const [from, to] = packed.length > 1 ? packed : [packed[0], undefined];
    if (from) from.events -= 1;
    if (to) to.events += 1;
    return { kind: "unit" };
  },
  "a slice that nobody packed": (world) => {
    world.plan.sliceUnits.splice(Math.floor(world.random() * world.plan.sliceUnits.length), 1);
    return { kind: "plan" };
  },
  "a slice that two packed": (world) => {
    world.plan.sliceUnits.push({ id: "s99", slice: 0 });
    return { kind: "plan" };
  },
  "two slices whose packers changed places": (world) => {
    const [a, b] = two(world, world.plan.sliceUnits);
    [a.slice, b.slice] = [b.slice, a.slice];
    return { kind: "unit" };
  },
};

function folders({ units }: World) {
  return units.filter(({ kind }) => kind === "partition");
}

function aSlice(world: World) {
  return one(
    world,
    world.units.filter(({ kind }) => kind === "slice"),
  );
}

function mostEvents(world: World): FakeMessage[] {
  const [most] = [...world.index].sort((a, b) => b[1] - a[1]);
  return ownEvents(world).filter(({ subject }) => codec.route(subject) === most?.[0]);
}

function partitionAt({ plan }: World, unit: string | undefined, at: number): number {
  return plan.units.find(({ id }) => id === unit)?.partitions[at] ?? -1;
}

describe("the checks", () => {
  it("find nothing in a thousand honest runs", async () => {
    for (let seed = 1; seed <= 1_000; seed++) {
      expect([seed, (await judge(makeWorld(seed))).toJSON().first]).toEqual([seed, []]);
    }
  });

  const names = Object.keys(corruptions);
  const seeds = Math.ceil(1_000 / names.length);

  it.each(names)("find %s, and name it", (name) => expectFound(corruptions[name], 1));

  it.each(Object.keys(shuffled))("find, where events were shuffled, %s", (name) => expectFound(shuffled[name], 2));

  /** In so many worlds, every one or every second of which is taken: those of odd seeds. */
  async function expectFound(corrupt: Corruption | undefined, step: number): Promise<void> {
    for (let seed = 1; seed <= seeds * step; seed += step) {
      const world = makeWorld(seed * 7919);
      const must = corrupt?.(world);
      const { first } = (await judge(world)).toJSON();
      const named = first.filter(
        ({ kind, key, partition }) =>
          kind === must?.kind &&
          (must.key === undefined || key === must.key) &&
          (must.partition === undefined || partition === must.partition),
      );
      expect([seed, must, named.length > 0, first.slice(0, 3)]).toEqual([seed, must, true, first.slice(0, 3)]);
    }
  }
});
