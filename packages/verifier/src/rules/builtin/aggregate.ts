/** For entries of the built-in projection `aggregate`, of whatever domain. */
export const AGGREGATE_RULES = `version: 1
rules:
  - name: aggregate-id-is-its-keys
    description: The entry lies under the key of its own aggregate.
    condition: entry.aggregate_id == id
    message: the entry says it is aggregate {{ entry.aggregate_id }}, its key says {{ id }}
  - name: counts-its-events
    description: The value counts as many events as the replay folded into it.
    when: events != null
    condition: entry.events == events
    message: the value counts {{ entry.events }} events, its provenance {{ events }}
  - name: says-what-happened
    description: An entry has events, and says which was the first and which the last.
    condition: entry.events > 0 && entry.first_event_type != null && entry.last_event_type != null
    message: has {{ entry.events }} events, the first {{ entry.first_event_type }}, the last {{ entry.last_event_type }}
  - name: nothing-in-quarantine
    description: The last replay of the whole domain left no event out.
    scope: counts
    severity: warning
    condition: quarantined == 0
    message: "{{ quarantined }} events are in the quarantine: replay-status --show-errors lists them"
`;
