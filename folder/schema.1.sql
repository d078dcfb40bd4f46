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

CREATE TABLE schema_migrations (
    version    INTEGER NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    checksum   TEXT    NOT NULL,
    applied_at INTEGER NOT NULL
);

CREATE TABLE task_dependencies (
    task_id    TEXT    NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    depends_on TEXT    NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    place      INTEGER NOT NULL,
    PRIMARY KEY (task_id, depends_on)
) WITHOUT ROWID;

CREATE TABLE task_errors (
    task_id TEXT    NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    number  INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    message TEXT    NOT NULL,
    PRIMARY KEY (task_id, number)
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

CREATE INDEX agents_by_status ON agents (status, last_heartbeat);

CREATE INDEX events_by_agent ON events (agent_id, position) WHERE agent_id IS NOT NULL;

CREATE INDEX events_by_correlation ON events (correlation_id, position) WHERE correlation_id IS NOT NULL;

CREATE INDEX events_by_task ON events (task_id, position) WHERE task_id IS NOT NULL;

CREATE INDEX task_dependencies_by_prerequisite ON task_dependencies (depends_on);

CREATE INDEX tasks_by_agent ON tasks (agent_id) WHERE agent_id IS NOT NULL;

CREATE INDEX tasks_by_lease ON tasks (lease_expires_at) WHERE lease_expires_at IS NOT NULL;

CREATE INDEX tasks_by_parent ON tasks (parent_task_id) WHERE parent_task_id IS NOT NULL;

CREATE INDEX tasks_by_status ON tasks (status, priority DESC, created_at, id);

CREATE UNIQUE INDEX tasks_by_unique_key ON tasks (unique_key)
    WHERE unique_key IS NOT NULL AND (status = 'pending' OR status = 'assigned' OR status = 'running');

CREATE INDEX tasks_claimable
    ON tasks (queue, priority DESC, run_at, id, task_type, required_capabilities, trust_operation)
    WHERE status = 'pending' AND unmet_dependencies = 0;
