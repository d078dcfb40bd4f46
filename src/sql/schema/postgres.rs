//! The tables on PostgreSQL: the same as on SQLite, with the same columns, in the types of PostgreSQL.
//!
//! Text is compared by bytes, so every column of it has the collation "C". JSON is text here too: what comes back is byte
//! for byte what went in. An indexed text cannot be longer than PostgreSQL's index entries, about 2,700 bytes.

/// Version 1 of the schema.
pub(in crate::sql) const V1: &str = r#"
CREATE TABLE agents (
    id               TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (id <> ''),
    agent_type       TEXT COLLATE "C" NOT NULL,
    name             TEXT COLLATE "C" UNIQUE,
    status           TEXT COLLATE "C" NOT NULL
        CHECK (status IN ('initializing', 'active', 'idle', 'busy', 'paused', 'failed', 'terminated')),
    capabilities     TEXT COLLATE "C" NOT NULL,
    configuration    TEXT COLLATE "C" NOT NULL,
    metadata         TEXT COLLATE "C" NOT NULL,
    last_heartbeat   BIGINT NOT NULL,
    terminated_at    BIGINT,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    version          BIGINT NOT NULL CHECK (version >= 1)
);

CREATE INDEX agents_by_status ON agents (status, last_heartbeat);

CREATE TABLE agent_groups (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (id <> ''),
    name          TEXT COLLATE "C" NOT NULL UNIQUE,
    group_type    TEXT COLLATE "C" NOT NULL,
    configuration TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    version       BIGINT NOT NULL CHECK (version >= 1)
);

CREATE TABLE agent_group_members (
    group_id  TEXT COLLATE "C" NOT NULL REFERENCES agent_groups (id) ON DELETE CASCADE,
    agent_id  TEXT COLLATE "C" NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    role      TEXT COLLATE "C",
    joined_at BIGINT NOT NULL,
    PRIMARY KEY (group_id, agent_id)
);

CREATE INDEX agent_group_members_by_agent ON agent_group_members (agent_id);

CREATE TABLE swarm_config (
    key        TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (key <> ''),
    value      TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C"
);

-- A queue leaves many dead rows behind: they are cleared away early, or a claim would step over them.
CREATE TABLE tasks (
    id                    TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (id <> ''),
    task_type             TEXT COLLATE "C" NOT NULL,
    payload               TEXT COLLATE "C" NOT NULL,
    parent_task_id        TEXT COLLATE "C" REFERENCES tasks (id) ON DELETE CASCADE,
    trust_operation       TEXT COLLATE "C"
        CHECK (trust_operation IN ('basic_task', 'critical_task', 'delegation', 'verification', 'consensus')),
    unique_key            TEXT COLLATE "C",
    queue                 TEXT COLLATE "C" NOT NULL,
    priority              BIGINT NOT NULL CHECK (priority BETWEEN 0 AND 9),
    on_dependency_failure TEXT COLLATE "C" NOT NULL CHECK (on_dependency_failure IN ('cancel', 'hold')),
    required_capabilities TEXT COLLATE "C" NOT NULL,
    run_at                BIGINT NOT NULL,
    max_retries           BIGINT NOT NULL CHECK (max_retries >= 0),
    backoff               TEXT COLLATE "C",
    status                TEXT COLLATE "C" NOT NULL
        CHECK (status IN ('pending', 'assigned', 'running', 'completed', 'failed', 'cancelled')),
    agent_id              TEXT COLLATE "C" REFERENCES agents (id) ON DELETE SET NULL,
    attempt               BIGINT NOT NULL CHECK (attempt >= 0),
    lease_token           TEXT COLLATE "C",
    lease_expires_at      BIGINT,
    result                TEXT COLLATE "C",
    cancel_reason         TEXT COLLATE "C",
    assigned_at           BIGINT,
    started_at            BIGINT,
    completed_at          BIGINT,
    created_at            BIGINT NOT NULL,
    updated_at            BIGINT NOT NULL,
    version               BIGINT NOT NULL CHECK (version >= 1),
    unmet_dependencies    BIGINT NOT NULL DEFAULT 0 CHECK (unmet_dependencies >= 0),
    dependency_count      BIGINT NOT NULL DEFAULT 0,
    error_count           BIGINT NOT NULL DEFAULT 0,
    CHECK ((status = 'assigned' OR status = 'running') = (lease_token IS NOT NULL)),
    CHECK ((lease_token IS NULL) = (lease_expires_at IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- A claim reads one of these from the front: of one queue, or of all.
CREATE INDEX tasks_claimable ON tasks (queue, priority DESC, run_at, id)
    WHERE status = 'pending' AND unmet_dependencies = 0;
CREATE INDEX tasks_claimable_anywhere ON tasks (priority DESC, run_at, id)
    WHERE status = 'pending' AND unmet_dependencies = 0;
CREATE INDEX tasks_by_status ON tasks (status, priority DESC, created_at, id);
CREATE INDEX tasks_by_lease ON tasks (lease_expires_at) WHERE lease_expires_at IS NOT NULL;
CREATE INDEX tasks_by_end ON tasks (completed_at, id) WHERE completed_at IS NOT NULL;
CREATE INDEX tasks_by_agent ON tasks (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX tasks_by_parent ON tasks (parent_task_id) WHERE parent_task_id IS NOT NULL;
CREATE UNIQUE INDEX tasks_by_unique_key ON tasks (unique_key)
    WHERE unique_key IS NOT NULL AND status IN ('pending', 'assigned', 'running');

CREATE TABLE task_dependencies (
    task_id    TEXT COLLATE "C" NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    depends_on TEXT COLLATE "C" NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    place      BIGINT NOT NULL,
    PRIMARY KEY (task_id, depends_on)
);

CREATE INDEX task_dependencies_by_prerequisite ON task_dependencies (depends_on);

CREATE TABLE task_errors (
    task_id TEXT COLLATE "C" NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    number  BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    message TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (task_id, number)
);

-- A queue exists by being named; here are those that are paused.
CREATE TABLE queues (
    name      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    paused_at BIGINT NOT NULL
);

-- An event outlives the agent and the task that it names, so there are no foreign keys.
CREATE TABLE events (
    position       BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    id             TEXT COLLATE "C" NOT NULL UNIQUE CHECK (id <> ''),
    aggregate_type TEXT COLLATE "C" NOT NULL,
    aggregate_id   TEXT COLLATE "C" NOT NULL,
    sequence       BIGINT NOT NULL CHECK (sequence >= 1),
    event_type     TEXT COLLATE "C" NOT NULL,
    data           TEXT COLLATE "C" NOT NULL,
    metadata       TEXT COLLATE "C" NOT NULL,
    agent_id       TEXT COLLATE "C",
    task_id        TEXT COLLATE "C",
    correlation_id TEXT COLLATE "C",
    causation_id   TEXT COLLATE "C",
    timestamp      BIGINT NOT NULL,
    UNIQUE (aggregate_type, aggregate_id, sequence)
);

CREATE INDEX events_by_correlation ON events (correlation_id, position) WHERE correlation_id IS NOT NULL;
CREATE INDEX events_by_agent ON events (agent_id, position) WHERE agent_id IS NOT NULL;
CREATE INDEX events_by_task ON events (task_id, position) WHERE task_id IS NOT NULL;

-- SQLite's function, so that a caller's own statement about JSON is the same on both.
CREATE FUNCTION json_extract(value TEXT, path TEXT) RETURNS JSONB
    LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT jsonb_path_query_first(value::jsonb, path::jsonpath) $$;
"#;
