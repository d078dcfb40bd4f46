//! The tables.
//!
//! Counts such as `unmet_dependencies` are columns so that an index can hold only the tasks that may be claimed:
//! blocked and finished ones then cost a claim nothing. That index begins with the queue, so that neither do the tasks of
//! other queues.
//!
//! Tasks have a rowid, unlike the other tables with text for a key: their rows are long, and long rows in the tree of the
//! key make every look for a key longer.
//!
//! Alternatives are written with OR: for an IN with more than two of them SQLite builds a temporary table for every row
//! that is inserted.

#[cfg(feature = "postgres")]
pub(super) mod postgres;

/// Version 1 of the schema.
pub(super) const V1: &str = "
CREATE TABLE agents (
    id               TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    agent_type       TEXT    NOT NULL,
    name             TEXT    UNIQUE,
    status           TEXT    NOT NULL
        CHECK (status = 'initializing' OR status = 'active' OR status = 'idle' OR status = 'busy'
            OR status = 'paused' OR status = 'failed' OR status = 'terminated'),
    capabilities     TEXT    NOT NULL,
    configuration    TEXT    NOT NULL,
    metadata         TEXT    NOT NULL,
    last_heartbeat   INTEGER NOT NULL,
    terminated_at    INTEGER,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    version          INTEGER NOT NULL CHECK (version >= 1)
) WITHOUT ROWID;

CREATE INDEX agents_by_status ON agents (status, last_heartbeat);

CREATE TABLE agent_groups (
    id            TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    name          TEXT    NOT NULL UNIQUE,
    group_type    TEXT    NOT NULL,
    configuration TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    version       INTEGER NOT NULL CHECK (version >= 1)
) WITHOUT ROWID;

CREATE TABLE agent_group_members (
    group_id  TEXT    NOT NULL REFERENCES agent_groups (id) ON DELETE CASCADE,
    agent_id  TEXT    NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    role      TEXT,
    joined_at INTEGER NOT NULL,
    PRIMARY KEY (group_id, agent_id)
) WITHOUT ROWID;

CREATE INDEX agent_group_members_by_agent ON agent_group_members (agent_id);

CREATE TABLE swarm_config (
    key        TEXT    NOT NULL PRIMARY KEY CHECK (key <> ''),
    value      TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT
) WITHOUT ROWID;

CREATE TABLE tasks (
    id                    TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    task_type             TEXT    NOT NULL,
    payload               TEXT    NOT NULL,
    parent_task_id        TEXT    REFERENCES tasks (id) ON DELETE CASCADE,
    trust_operation       TEXT
        CHECK (trust_operation IS NULL OR trust_operation = 'basic_task' OR trust_operation = 'critical_task'
            OR trust_operation = 'delegation' OR trust_operation = 'verification'
            OR trust_operation = 'consensus'),
    unique_key            TEXT,
    queue                 TEXT    NOT NULL,
    priority              INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 9),
    on_dependency_failure TEXT    NOT NULL CHECK (on_dependency_failure = 'cancel' OR on_dependency_failure = 'hold'),
    required_capabilities TEXT    NOT NULL,
    run_at                INTEGER NOT NULL,
    max_retries           INTEGER NOT NULL CHECK (max_retries >= 0),
    backoff               TEXT,
    status                TEXT    NOT NULL
        CHECK (status = 'pending' OR status = 'assigned' OR status = 'running' OR status = 'completed'
            OR status = 'failed' OR status = 'cancelled'),
    agent_id              TEXT    REFERENCES agents (id) ON DELETE SET NULL,
    attempt               INTEGER NOT NULL CHECK (attempt >= 0),
    lease_token           TEXT,
    lease_expires_at      INTEGER,
    result                TEXT,
    cancel_reason         TEXT,
    assigned_at           INTEGER,
    started_at            INTEGER,
    completed_at          INTEGER,
    created_at            INTEGER NOT NULL,
    updated_at            INTEGER NOT NULL,
    version               INTEGER NOT NULL CHECK (version >= 1),
    unmet_dependencies    INTEGER NOT NULL DEFAULT 0 CHECK (unmet_dependencies >= 0),
    dependency_count      INTEGER NOT NULL DEFAULT 0,
    error_count           INTEGER NOT NULL DEFAULT 0,
    CHECK ((status = 'assigned' OR status = 'running') = (lease_token IS NOT NULL)),
    CHECK ((lease_token IS NULL) = (lease_expires_at IS NULL))
);

-- The claim reads each queue's part of this from the front and finds in it all that it has to compare.
CREATE INDEX tasks_claimable
    ON tasks (queue, priority DESC, run_at, id, task_type, required_capabilities, trust_operation)
    WHERE status = 'pending' AND unmet_dependencies = 0;
CREATE INDEX tasks_by_status ON tasks (status, priority DESC, created_at, id);
CREATE INDEX tasks_by_lease ON tasks (lease_expires_at) WHERE lease_expires_at IS NOT NULL;
CREATE INDEX tasks_by_end ON tasks (completed_at, id) WHERE completed_at IS NOT NULL;
CREATE INDEX tasks_by_agent ON tasks (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX tasks_by_parent ON tasks (parent_task_id) WHERE parent_task_id IS NOT NULL;
CREATE UNIQUE INDEX tasks_by_unique_key ON tasks (unique_key)
    WHERE unique_key IS NOT NULL AND (status = 'pending' OR status = 'assigned' OR status = 'running');

CREATE TABLE task_dependencies (
    task_id    TEXT    NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    depends_on TEXT    NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    place      INTEGER NOT NULL,
    PRIMARY KEY (task_id, depends_on)
) WITHOUT ROWID;

CREATE INDEX task_dependencies_by_prerequisite ON task_dependencies (depends_on);

CREATE TABLE task_errors (
    task_id TEXT    NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    number  INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    message TEXT    NOT NULL,
    PRIMARY KEY (task_id, number)
) WITHOUT ROWID;

-- A queue exists by being named; here are those that are paused.
CREATE TABLE queues (
    name      TEXT    NOT NULL PRIMARY KEY,
    paused_at INTEGER NOT NULL
) WITHOUT ROWID;

-- An event outlives the agent and the task that it names, so there are no foreign keys.
CREATE TABLE events (
    position       INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT    NOT NULL UNIQUE CHECK (id <> ''),
    aggregate_type TEXT    NOT NULL,
    aggregate_id   TEXT    NOT NULL,
    sequence       INTEGER NOT NULL CHECK (sequence >= 1),
    event_type     TEXT    NOT NULL,
    data           TEXT    NOT NULL,
    metadata       TEXT    NOT NULL,
    agent_id       TEXT,
    task_id        TEXT,
    correlation_id TEXT,
    causation_id   TEXT,
    timestamp      INTEGER NOT NULL,
    UNIQUE (aggregate_type, aggregate_id, sequence)
);

CREATE INDEX events_by_correlation ON events (correlation_id, position) WHERE correlation_id IS NOT NULL;
CREATE INDEX events_by_agent ON events (agent_id, position) WHERE agent_id IS NOT NULL;
CREATE INDEX events_by_task ON events (task_id, position) WHERE task_id IS NOT NULL;
";
