/** For entries of the built-in projection `graph`. */
export const GRAPH_RULES = `version: 1
rules:
  - name: graph-id-is-its-keys
    description: The entry lies under the key of its own graph.
    condition: entry.graph_id == id
    message: the entry says it is graph {{ entry.graph_id }}, its key says {{ id }}
  - name: node-count-matches
    description: node_count is the number of nodes.
    condition: entry.node_count == size(entry.nodes)
    message: node_count is {{ entry.node_count }}, and there are {{ size(entry.nodes) }} nodes
  - name: edge-count-matches
    description: edge_count is the number of edges.
    condition: entry.edge_count == size(entry.edges)
    message: edge_count is {{ entry.edge_count }}, and there are {{ size(entry.edges) }} edges
  - name: edges-have-their-nodes
    description: Both nodes of every edge are in the graph.
    condition: entry.edges.all(e, entry.edges[e].source in entry.nodes && entry.edges[e].target in entry.nodes)
    message: >-
      without a node at one end are the edges
      {{ entry.edges.filter(e, !(entry.edges[e].source in entry.nodes && entry.edges[e].target in entry.nodes)) }}
  - name: archived-has-archived-at
    description: A graph is archived exactly where it has a time of that.
    condition: entry.archived == (entry.archived_at != null)
    message: archived is {{ entry.archived }}, archived_at is {{ entry.archived_at }}
  - name: counts-its-events
    description: The value counts as many events as the replay folded into it.
    when: events != null
    condition: entry.events == events
    message: the value counts {{ entry.events }} events, its provenance {{ events }}
  - name: was-created
    description: An event said that the graph was created.
    severity: warning
    condition: entry.created_at != null
    message: has {{ entry.events }} events, and none of them created it
  - name: keeps-the-rules-of-graphs
    description: No event did what cannot be, such as an edge to a node that is not there.
    severity: warning
    condition: entry.violations == 0
    message: "{{ entry.violations }} of {{ entry.events }} events were against the rules of graphs and changed nothing"
  - name: knows-all-event-types
    description: Every event is of a type that the projection knows.
    severity: warning
    condition: size(entry.unknown_events) == 0
    message: "of unknown types, with their numbers: {{ entry.unknown_events }}"
  - name: nothing-in-quarantine
    description: The last replay of the whole domain left no event out.
    scope: counts
    severity: warning
    condition: quarantined == 0
    message: "{{ quarantined }} events are in the quarantine: replay-status --show-errors lists them"
`;
