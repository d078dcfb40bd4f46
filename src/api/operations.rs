//! The table of operations.

use super::arguments::{
    AppendOptions, Arguments, CancelOptions, FailOptions, Members, PatchOf, Rows, Text, UpdateOptions,
};
use super::{Access, Operation, Parameter};
use crate::error::Result;
use crate::model::packed::pack;
use crate::model::{
    Agent, AgentId, AgentPatch, AgentStatus, Answer, Argument, Claim, Filter, Group, GroupId, GroupPatch, Json, Millis,
    NewAgent, NewEvent, NewGroup, NewTask, Stream, Task, TaskId, TaskPatch,
};
use crate::platform::told;
use crate::service::{EventFilter, ReadStream};
use crate::sql::{Entity, Query, repository};
use crate::store::Tx;

impl Members for AgentPatch {
    fn take(&mut self, key: &str, raw: &str) -> Result<bool> {
        AgentPatch::take(self, key, raw)
    }
}

impl Members for GroupPatch {
    fn take(&mut self, key: &str, raw: &str) -> Result<bool> {
        GroupPatch::take(self, key, raw)
    }
}

impl Members for TaskPatch {
    fn take(&mut self, key: &str, raw: &str) -> Result<bool> {
        TaskPatch::take(self, key, raw)
    }
}

/// A record packed, without a struct on the way.
fn get_text<E: Entity>(tx: &Tx<'_>, id: &str) -> Result<Option<Text>> {
    let row = repository::get::<E, repository::Packed>(tx.cx.connection(), id)?;
    Ok(row.map(|row| Text(row.0)))
}

/// A list of packed records, without structs on the way.
fn list_text<E: Entity>(tx: &Tx<'_>, query: &Query<E>) -> Result<Text> {
    let mut out = String::from("[");
    repository::select(tx.cx.connection(), query, &mut |row| {
        if out.len() > 1 {
            out.push(',');
        }
        pack(E::layout(), E::FIELDS, row, &mut out)
    })?;
    out.push(']');
    Ok(Text(out))
}

/// Rows of the table: documentation, access, `namespace.name(argument: Type as "TypeScript", …) -> "TypeScript" = body`.
macro_rules! operations {
    ($(
        $doc:expr;
        $access:ident $namespace:ident.$name:ident($($parameter:ident: $type:ty $(as $ts:expr)?),*) -> $result:expr,
            |$tx:ident| $body:expr;
    )*) => {
        &[$(Operation {
            namespace: stringify!($namespace),
            name: stringify!($name),
            access: Access::$access,
            doc: told($doc),
            parameters: &[$(Parameter {
                name: stringify!($parameter),
                ts: told(operations!(@ts $type $(, $ts)?)),
                optional: <$type as Argument>::OPTIONAL,
                raw: <$type as Argument>::RAW,
            },)*],
            result: told($result),
            run: {
                #[allow(unused_variables, unused_mut)]
                fn run($tx: &Tx<'_>, arguments: &mut Arguments<'_>, out: &mut String) -> Result<bool> {
                    $(let $parameter: $type = arguments.take(stringify!($parameter))?;)*
                    arguments.end()?;
                    let answer = $body?;
                    Ok(Answer::pack(&answer, out))
                }
                run
            },
        },)*]
    };
    (@ts $type:ty) => { <$type as Argument>::TYPE };
    (@ts $type:ty, $ts:expr) => { $ts };
}

/// The operations of a mutable record.
macro_rules! collection {
    ($collection:ident, $record:ident, $new:ident, $patch:ident, $id:ident, $a:literal) => {
        operations! {
            concat!("Adds ", $a, ". Without an id, a UUIDv7 is made.\n\n@throws `CONFLICT` when the id or another unique value is taken; `INVALID_ARGUMENT` when a field is refused; `CONSTRAINT` when it refers to what is not there");
            Write $collection.add(row: $new) -> stringify!($record), |tx| tx.$collection().add(row);

            concat!("Reads ", $a, " by its id; `undefined` when there is none.");
            Read $collection.get(id: $id) -> concat!(stringify!($record), " | undefined"),
                |tx| get_text::<$record>(tx, id.as_str());

            concat!("Changes some fields of ", $a, "; `null` clears an optional one.\n\n@throws `NOT_FOUND`; `CONFLICT` when `ifVersion` is not its version (`actual` tells) or the change is not allowed now; `INVALID_ARGUMENT`");
            Write $collection.update(id: $id, patch: $patch, options: UpdateOptions) -> stringify!($record),
                |tx| match options.if_version {
                    Some(version) => tx.$collection().update_if_version(&id, version, patch),
                    None => tx.$collection().update(&id, patch),
                };

            concat!("Deletes ", $a, "; `false` when it was not there.\n\n@throws `CONFLICT` when something still needs it");
            Write $collection.delete(id: $id) -> "boolean", |tx| tx.$collection().delete(&id);

            "Lists records by a filter, in an order, page by page: the first 100 by id when nothing is said.\n\n@throws `INVALID_ARGUMENT` for an unknown field, a value of a wrong type, or an `after` that names no record";
            Read $collection.list(query: Query<$record>) -> concat!(stringify!($record), "[]"),
                |tx| list_text::<$record>(tx, &query);

            "Counts the records that the query's filter leaves.\n\n@throws `INVALID_ARGUMENT` as for `list`";
            Read $collection.count(query: Query<$record>) -> "number", |tx| tx.$collection().count(&query);

            "Whether the query's filter leaves any record.\n\n@throws `INVALID_ARGUMENT` as for `list`";
            Read $collection.exists(query: Query<$record>) -> "boolean", |tx| tx.$collection().exists(&query);

            "The SQL of a list and the values that it binds, to be looked at or given to the store's `query`.\n\n@throws `INVALID_ARGUMENT` as for `list`";
            Read $collection.to_sql(query: Query<$record>) -> "Sql", |tx| tx.$collection().to_sql(&query);

            concat!("Adds ", $a, ", or replaces all that is the caller's of the one with this id.\n\n@throws as `add`, except that an existing id is no conflict");
            Write $collection.put(row: $new) -> stringify!($record), |tx| tx.$collection().put(row);

            "Adds several records in one transaction, all or none.\n\n@throws as `add`, with the `index` of the row that failed";
            Write $collection.add_many(rows: Rows<$new> as concat!(stringify!($new), "[]")) -> concat!(stringify!($record), "[]"),
                |tx| tx.$collection().add_many(rows.0);

            "Puts several records in one transaction, all or none.\n\n@throws as `put`, with the `index` of the row that failed";
            Write $collection.put_many(rows: Rows<$new> as concat!(stringify!($new), "[]")) -> concat!(stringify!($record), "[]"),
                |tx| tx.$collection().put_many(rows.0);

            "Changes several records in one transaction, all or none.\n\n@throws as `update`, with the `index` of the row that failed";
            Write $collection.update_many(rows: Rows<PatchOf<$patch>> as concat!("({ id: string } & Patch<", stringify!($new), ">)[]")) -> concat!(stringify!($record), "[]"),
                |tx| tx.$collection().update_many(rows.0.into_iter().map(|row| (row.id, row.patch)));

            "Changes some fields of all records that a filter leaves, all or none; answers how many they are.\n\n@throws as `update`; `INVALID_ARGUMENT` for a filter without a condition";
            Write $collection.update_where(filter: Filter<$record>, patch: $patch) -> "number",
                |tx| tx.$collection().update_where(&filter, &patch);

            "Deletes all records that a filter leaves, all or none; answers how many they are.\n\n@throws `CONFLICT` when something that stays needs one of them; `INVALID_ARGUMENT` for a filter without a condition";
            Write $collection.delete_where(filter: Filter<$record>) -> "number",
                |tx| tx.$collection().delete_where(&filter);

            "Deletes several records in one transaction, skipping those that are not there; answers how many were.\n\n@throws as `delete`, with the `index` of the id that failed";
            Write $collection.delete_many(ids: Rows<$id> as "string[]") -> "number",
                |tx| tx.$collection().delete_many(&ids.0);
        }
    };
}

const AGENTS: &[Operation] = collection!(agents, Agent, NewAgent, AgentPatch, AgentId, "an agent");

const LIVELINESS: &[Operation] = operations! {
    "Notes that an agent is alive, now; one that was `failed` is `idle` again. That alone is no change of the agent: \
     `version` and `updatedAt` stay.\n\n@throws `NOT_FOUND`; `CONFLICT` when it is terminated";
    Write agents.heartbeat(id: AgentId) -> "Agent", |tx| tx.agents().heartbeat(&id);

    "Says what an agent is doing.\n\n@throws `NOT_FOUND`; `CONFLICT` when it is terminated, which is final";
    Write agents.set_status(id: AgentId, status: AgentStatus) -> "Agent", |tx| tx.agents().set_status(&id, status);

    "Answers the agents that gave their last sign of life more than so many milliseconds (0 or more) ago, the one silent \
     for longest first. Those that are failed or terminated are not among them.\n\n@throws `INVALID_ARGUMENT`";
    Read agents.stale(older_than_ms: i64) -> "Agent[]", |tx| tx.agents().stale(older_than_ms);

    "Marks the stale agents failed and takes their tasks back; answers the ids of both. The attempt counts as failed: the \
     task is claimable again at once, or stays failed when no retry is left.\n\n@throws `INVALID_ARGUMENT`";
    Write agents.sweep_stale(older_than_ms: i64) -> "{ agents: string[]; tasks: string[] }",
        |tx| tx.agents().sweep_stale(older_than_ms);
};

const GROUPS: &[Operation] = collection!(groups, Group, NewGroup, GroupPatch, GroupId, "a group");

const MEMBERS: &[Operation] = operations! {
    "Makes an agent a member of a group, in a role or in none. A member that joins again has the new role, and joined when \
     it did.\n\n@throws `NOT_FOUND` for an unknown group or agent; `INVALID_ARGUMENT`";
    Write groups.join(group_id: GroupId, agent_id: AgentId, role: Option<String>) -> "void",
        |tx| tx.groups().join(&group_id, &agent_id, role.as_deref());

    "Ends a membership; `false` when there was none.";
    Write groups.leave(group_id: GroupId, agent_id: AgentId) -> "boolean", |tx| tx.groups().leave(&group_id, &agent_id);

    "Answers who belongs to a group, who joined first first; nobody when there is no such group.";
    Read groups.members(group_id: GroupId) -> "Membership[]", |tx| tx.groups().members(&group_id);

    "Answers the groups that an agent belongs to, by id; none when there is no such agent.";
    Read groups.of(agent_id: AgentId) -> "Group[]", |tx| tx.groups().of(&agent_id);
};

const CONFIG: &[Operation] = operations! {
    "Reads the value under a key; `undefined` when there is none.\n\n@throws `INVALID_ARGUMENT` for a key that is empty, \
     has over 1,024 bytes or a NUL";
    Read config.get(key: String) -> "Json | undefined", |tx| tx.config().get(&key);

    "Puts a value under a key, in place of the one that is there.\n\n@throws `INVALID_ARGUMENT`";
    Write config.set(key: String, value: Json, updated_by: Option<String>) -> "void",
        |tx| tx.config().set(&key, &value, updated_by.as_deref());

    "Removes a key with its value; `false` when it was not there.\n\n@throws `INVALID_ARGUMENT`";
    Write config.delete(key: String) -> "boolean", |tx| tx.config().delete(&key);

    "Answers all values whose key begins with `prefix`, letter for letter (`%`, `_` and `*` mean themselves), in the order \
     of their keys; all there are without one.";
    Read config.all(prefix: Option<String>) -> "ConfigEntry[]", |tx| tx.config().all(prefix.as_deref().unwrap_or_default());
};

const TASKS: &[Operation] = collection!(tasks, Task, NewTask, TaskPatch, TaskId, "a task");

const QUEUE: &[Operation] = operations! {
    "Adds tasks that may name each other as dependencies and parents, in any order, all or none. Answers them in the order \
     given. One whose unique key is taken and that has `onConflict: 'existing'` is answered by the task that is there, for \
     which those that name it then wait.\n\n\
     @throws as `add`, with the `index` of the row that failed; `INVALID_ARGUMENT` for an unknown id or a cycle";
    Write tasks.add_flow(tasks: Rows<NewTask> as "NewTask[]") -> "Task[]", |tx| tx.tasks().add_flow(tasks.0);

    "Gives an agent the most urgent tasks that are due: highest priority first, then the earliest `runAt`, then id. \
     Expired leases are reclaimed first. Only pending tasks are given whose queue is not paused, whose dependencies are \
     completed and whose required capabilities the agent has.\n\n\
     `limit`: 1 to 1,000 (1); `leaseMs`: 1 or more (60,000).\n\n\
     @throws `NOT_FOUND` for an unknown agent; `CONFLICT` when it is paused, failed or terminated; `INVALID_ARGUMENT`";
    Write tasks.claim(agent_id: AgentId, options: Claim) -> "Task[]", |tx| tx.tasks().claim(&agent_id, &options);

    "Marks a claimed task as begun. Optional: `complete` and `fail` are legal from assigned.\n\n\
     @throws `NOT_FOUND`; `LEASE_LOST`; `CONFLICT` when it is running already";
    Write tasks.start(id: TaskId, lease_token: String) -> "Task", |tx| tx.tasks().start(&id, &lease_token);

    "Lets the lease end `leaseMs` (1 or more) milliseconds from now.\n\n@throws `NOT_FOUND`; `LEASE_LOST`; `INVALID_ARGUMENT`";
    Write tasks.extend(id: TaskId, lease_token: String, lease_ms: i64) -> "Task",
        |tx| tx.tasks().extend(&id, &lease_token, lease_ms);

    "Finishes a claimed task. Tasks that waited for it may become claimable.\n\n\
     @throws `NOT_FOUND`; `LEASE_LOST`; `INVALID_ARGUMENT` for a result that cannot be stored";
    Write tasks.complete(id: TaskId, lease_token: String, result: Option<Json>) -> "Task",
        |tx| tx.tasks().complete(&id, &lease_token, result.as_ref());

    "Records a failed attempt. The task is tried again after its backoff until the attempts exceed `maxRetries`; then, or \
     at once with `retry: false`, it stays failed.\n\n@throws `NOT_FOUND`; `LEASE_LOST`; `INVALID_ARGUMENT`";
    Write tasks.fail(id: TaskId, lease_token: String, message: String, options: FailOptions) -> "Task",
        |tx| match options.retry {
            true => tx.tasks().fail(&id, &lease_token, &message),
            false => tx.tasks().fail_for_good(&id, &lease_token, &message),
        };

    "Gives a claimed task back as if it had not been claimed.\n\n@throws `NOT_FOUND`; `LEASE_LOST`";
    Write tasks.release(id: TaskId, lease_token: String) -> "Task", |tx| tx.tasks().release(&id, &lease_token);

    "Gives a claimed task back as if it had not been claimed, to be claimed again `delayMs` (0 or more) milliseconds from \
     now.\n\n@throws `NOT_FOUND`; `LEASE_LOST`; `INVALID_ARGUMENT`";
    Write tasks.snooze(id: TaskId, lease_token: String, delay_ms: i64) -> "Task",
        |tx| tx.tasks().snooze(&id, &lease_token, delay_ms);

    "Calls off an unfinished task, and what depends on it unless that holds; with `subtree`, its unfinished subtasks too. \
     Answers all that were cancelled, the task itself first.\n\n@throws `NOT_FOUND`; `CONFLICT` when it is finished";
    Write tasks.cancel(id: TaskId, options: CancelOptions) -> "Task[]",
        |tx| match options.subtree {
            true => tx.tasks().cancel_subtree(&id, options.reason.as_deref()),
            false => tx.tasks().cancel(&id, options.reason.as_deref()),
        };

    "Takes back the tasks whose lease has expired; the attempt counts as failed. `claim` does this by itself. Answers the \
     tasks taken back.";
    Write tasks.reclaim_expired() -> "Task[]", |tx| tx.tasks().reclaim_expired();

    "Lists the tasks that failed for good, as `list` does: the first 100 by id when nothing is said.\n\n@throws as `list`";
    Read tasks.dead_letters(query: Query<Task>) -> "Task[]", |tx| list_text::<Task>(tx, &tx.tasks().failed(query));

    "Makes tasks that failed for good pending again, all or none: due now, with attempt 0; their errors stay. What holds \
     because of them goes on when they are completed; what was cancelled stays so. Answers them in the order given.\n\n\
     @throws `NOT_FOUND`; `CONFLICT` when one is not failed, or an unfinished task has its unique key; with the `index` of \
     the id that failed";
    Write tasks.redrive(ids: Rows<TaskId> as "string[]") -> "Task[]", |tx| tx.tasks().redrive(&ids.0);

    "Lets claims pass a queue over, also when they name it, until it is resumed. What is claimed already goes on. Any name \
     will do: a queue exists by being named. Pausing again changes nothing.\n\n@throws `INVALID_ARGUMENT`";
    Write tasks.pause(queue: String) -> "void", |tx| tx.tasks().pause(&queue);

    "Lets a paused queue be claimed from again; does nothing when it is not paused.\n\n@throws `INVALID_ARGUMENT`";
    Write tasks.resume(queue: String) -> "void", |tx| tx.tasks().resume(&queue);

    "How many tasks there are in each status, of one queue or of all.\n\n@throws `INVALID_ARGUMENT`";
    Read tasks.counts(queue: Option<String>) -> "Record<Task['status'], number>",
        |tx| tx.tasks().counts(queue.as_deref());

    "All queues in which a task is or that are paused, by name, with how many tasks they have in each status.";
    Read tasks.queues() -> "Queue[]", |tx| tx.tasks().queues();

    "Deletes the tasks that were completed, failed for good or cancelled before a time, with their errors and results; answers \
     how many. Those stay that an unfinished task depends on, and those that have a subtask which stays.";
    Write tasks.purge(finished_before: Millis) -> "number", |tx| tx.tasks().purge(finished_before);
};

const EVENTS: &[Operation] = operations! {
    "Appends events to a stream, all or none; answers them as stored. Appending ids that the stream has already answers \
     the stored events, whatever was expected, so a retry is safe.\n\n\
     @throws `CONFLICT` with the `actual` last sequence when the stream is not as expected, or when an id is taken elsewhere; \
     `INVALID_ARGUMENT`";
    Write events.append(stream: Stream, events: Rows<NewEvent> as "NewEvent[]", options: AppendOptions) -> "Event[]",
        |tx| tx.events().append(&stream, events.0, options.expected);

    "Reads one stream from a sequence on, itself included: 100 events forward from the first when nothing is said.";
    Read events.read(stream: Stream, options: ReadStream) -> "Event[]", |tx| tx.events().read(&stream, options);

    "Reads all streams in the order of positions, after a position: 100 events when nothing is said.";
    Read events.read_all(options: EventFilter) -> "Event[]", |tx| tx.events().read_all(&options);

    "Counts the events.";
    Read events.count() -> "number", |tx| tx.events().count();
};

/// All operations, in groups; an operation's number counts through them.
pub const OPERATIONS: [&[Operation]; 8] = [AGENTS, LIVELINESS, GROUPS, MEMBERS, CONFIG, TASKS, QUEUE, EVENTS];
