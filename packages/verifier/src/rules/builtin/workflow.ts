/** For entries of the built-in projection `workflow`. */
export const WORKFLOW_RULES = `version: 1
rules:
  - name: workflow-id-is-its-keys
    description: The entry lies under the key of its own workflow.
    condition: entry.workflow_id == id
    message: the entry says it is workflow {{ entry.workflow_id }}, its key says {{ id }}
  - name: step-counts-match
    description: steps_by_status counts the steps.
    condition: >-
      entry.steps.all(s, entry.steps[s].status in entry.steps_by_status) &&
      entry.steps_by_status.all(t, entry.steps_by_status[t] == size(entry.steps.filter(s, entry.steps[s].status == t)))
    message: steps_by_status is {{ entry.steps_by_status }}, which is not what the {{ size(entry.steps) }} steps say
  - name: task-counts-match
    description: tasks_by_status counts the tasks.
    condition: >-
      entry.tasks.all(k, entry.tasks[k].status in entry.tasks_by_status) &&
      entry.tasks_by_status.all(t, entry.tasks_by_status[t] == size(entry.tasks.filter(k, entry.tasks[k].status == t)))
    message: tasks_by_status is {{ entry.tasks_by_status }}, which is not what the {{ size(entry.tasks) }} tasks say
  - name: completed-has-completed-at
    description: What is completed has a time of that.
    condition: >-
      (entry.status != 'completed' || entry.completed_at != null) &&
      entry.steps.all(s, entry.steps[s].status != 'completed' || entry.steps[s].completed_at != null) &&
      entry.tasks.all(k, entry.tasks[k].status != 'completed' || entry.tasks[k].completed_at != null)
    message: the workflow, or one of its steps or tasks, is completed without completed_at
  - name: running-has-started-at
    description: What is running has a time of its start, and none of its completion.
    condition: >-
      (entry.status != 'running' || (entry.started_at != null && entry.completed_at == null)) &&
      entry.steps.all(s, entry.steps[s].status != 'running' || entry.steps[s].started_at != null) &&
      entry.tasks.all(k, entry.tasks[k].status != 'running' || entry.tasks[k].started_at != null)
    message: the workflow, or one of its steps or tasks, is running without started_at, or with completed_at
  - name: counts-its-events
    description: The value counts as many events as the replay folded into it.
    when: events != null
    condition: entry.events == events
    message: the value counts {{ entry.events }} events, its provenance {{ events }}
  - name: was-created
    description: An event said that the workflow was created.
    severity: warning
    condition: entry.created_at != null
    message: has {{ entry.events }} events, and none of them created it
  - name: completed-is-quiet
    description: A completed workflow has no step or task at work.
    severity: warning
    when: entry.status == 'completed'
    condition: >-
      !entry.steps.exists(s, entry.steps[s].status == 'running') &&
      !entry.tasks.exists(k, entry.tasks[k].status == 'running')
    message: >-
      is completed, and running are steps {{ entry.steps.filter(s, entry.steps[s].status == 'running') }}
      and tasks {{ entry.tasks.filter(k, entry.tasks[k].status == 'running') }}
  - name: dependencies-are-there
    description: A step depends on other steps of its workflow only.
    severity: warning
    condition: entry.steps.all(s, entry.steps[s].dependencies.all(d, d in entry.steps && d != s))
    message: >-
      depending on themselves or on what is not there are the steps
      {{ entry.steps.filter(s, !entry.steps[s].dependencies.all(d, d in entry.steps && d != s)) }}
  - name: tasks-have-their-steps
    description: The step that a task names is in the workflow.
    severity: warning
    condition: entry.tasks.all(k, entry.tasks[k].step_id == null || entry.tasks[k].step_id in entry.steps)
    message: >-
      of a step that is not there are the tasks
      {{ entry.tasks.filter(k, entry.tasks[k].step_id != null && !(entry.tasks[k].step_id in entry.steps)) }}
  - name: keeps-the-rules-of-workflows
    description: No event did what cannot be, such as completing a step that is not there.
    severity: warning
    condition: entry.violations == 0
    message: "{{ entry.violations }} of {{ entry.events }} events were against the rules of workflows and changed nothing"
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
