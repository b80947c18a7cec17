import { type AggregateModel, draw, type EventTime, type NextEvent } from "./aggregate-model.ts";
import type { Random } from "./random.ts";
import { GRAPH_KINDS, NODE_TYPES, RELATIONSHIPS, TOPICS } from "./vocabulary.ts";

/** A graph that has so many changes or loses parts before it grows again: entries stay of a size that KV takes. */
const MOST_NODES = 40;
const MOST_EDGES = 60;

interface Edge {
  readonly id: number;
  readonly source: number;
  readonly target: number;
}

/** A graph's life: created first, edges between nodes that are there, a node's edges gone with it. */
export class GraphModel implements AggregateModel {
  readonly #id: string;
  #created = false;
  #lastNode = 0;
  #lastEdge = 0;
  #nodes: number[] = [];
  #edges: Edge[] = [];

  constructor(aggregateId: string) {
    this.#id = aggregateId;
  }

  next(random: Random, now: EventTime): NextEvent {
    if (!this.#created) return this.#create(random, now);
    const nodes = this.#nodes.length;
    const edges = this.#edges.length;
    const act = draw<(random: Random, now: EventTime) => NextEvent>(random, [
      [this.#addNode, nodes < MOST_NODES ? 400 : 0],
      [this.#addEdge, nodes > 1 && edges < MOST_EDGES ? 320 : 0],
      [this.#updateNode, nodes > 0 ? 120 : 0],
      [this.#updateEdge, edges > 0 ? 60 : 0],
      [this.#removeNode, nodes > 0 ? 40 : 0],
      [this.#removeEdge, edges > 0 ? 40 : 0],
      [this.#update, 15],
      [this.#archive, now.mayEnd ? 5 : 0],
    ]);
    return (act ?? this.#update).call(this, random, now);
  }

  #create(random: Random, { timestamp }: EventTime): NextEvent {
    this.#created = true;
    const topic = random.pick(TOPICS);
    const kind = random.pick(GRAPH_KINDS);
    return this.#event(
      "GraphCreated",
      `"name":"${topic} ${random.below(1_000)}","description":"All about the ${topic}","graph_type":"${kind}","metadata":{},"created_at":"${timestamp}"`,
    );
  }

  #addNode(random: Random): NextEvent {
    const node = ++this.#lastNode;
    this.#nodes.push(node);
    const position = `{"x":${random.below(2_000) / 10},"y":${random.below(2_000) / 10},"z":0}`;
    return this.#event(
      "NodeAdded",
      `"node_id":"n${node}","position":${position},"node_type":"${random.pick(NODE_TYPES)}","label":"${random.pick(TOPICS)} ${node}","metadata":{}`,
    );
  }

  #addEdge(random: Random): NextEvent {
    const from = random.below(this.#nodes.length);
    const to = (from + 1 + random.below(this.#nodes.length - 1)) % this.#nodes.length;
    const edge = { id: ++this.#lastEdge, source: this.#nodes[from] ?? 0, target: this.#nodes[to] ?? 0 };
    this.#edges.push(edge);
    return this.#event(
      "EdgeAdded",
      `"edge_id":"e${edge.id}","source":"n${edge.source}","target":"n${edge.target}","relationship":"${random.pick(RELATIONSHIPS)}","weight":${random.below(100) / 100}`,
    );
  }

  #updateNode(random: Random): NextEvent {
    const node = this.#nodes[random.below(this.#nodes.length)] ?? 0;
    return this.#event(
      "NodeUpdated",
      `"node_id":"n${node}","label":"${random.pick(TOPICS)} ${random.below(1_000)}","metadata":{"revision":${random.below(100)}}`,
    );
  }

  #updateEdge(random: Random): NextEvent {
    const edge = this.#edges[random.below(this.#edges.length)];
    return this.#event("EdgeUpdated", `"edge_id":"e${edge?.id}","weight":${random.below(100) / 100}`);
  }

  #removeNode(random: Random): NextEvent {
    const [node] = this.#nodes.splice(random.below(this.#nodes.length), 1);
    this.#edges = this.#edges.filter(({ source, target }) => source !== node && target !== node);
    return this.#event("NodeRemoved", `"node_id":"n${node}"`);
  }

  #removeEdge(random: Random): NextEvent {
    const [edge] = this.#edges.splice(random.below(this.#edges.length), 1);
    return this.#event("EdgeRemoved", `"edge_id":"e${edge?.id}"`);
  }

  #update(random: Random): NextEvent {
    return this.#event("GraphUpdated", `"description":"Reviewed by ${random.pick(TOPICS)} ${random.below(1_000)}"`);
  }

  #archive(_random: Random, { timestamp }: EventTime): NextEvent {
    return { ...this.#event("GraphArchived", `"archived_at":"${timestamp}"`), ends: true };
  }

  #event(type: string, fields: string): NextEvent {
    return { type, payload: `{"graph_id":"${this.#id}",${fields}}` };
  }
}
