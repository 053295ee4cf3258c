"""Projects, roles, API keys, and a log of every change to them."""

from gateway.migrations.script import run_script

revision = "0001"
down_revision = None

_UP = """
-- One row. Every transaction that changes what stands below takes the next number, so that whoever has seen
-- a number can ask for what came after it and misses nothing.
CREATE TABLE directory_version (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    version bigint NOT NULL DEFAULT 0
);
INSERT INTO directory_version DEFAULT VALUES;

CREATE TABLE projects (
    id text PRIMARY KEY,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    limits jsonb NOT NULL DEFAULT '{}',
    models text[],
    networks cidr[],
    -- Machines that sign in with client credentials and call in this project's name: 'issuer#client_id'.
    clients text[] NOT NULL DEFAULT '{}',
    version bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    archived_at timestamptz
);
CREATE UNIQUE INDEX projects_name ON projects (name) WHERE archived_at IS NULL;
CREATE INDEX projects_version ON projects (version);

CREATE TABLE roles (
    name text PRIMARY KEY,
    description text NOT NULL DEFAULT '',
    limits jsonb NOT NULL DEFAULT '{}',
    model_limits jsonb NOT NULL DEFAULT '{}',
    models text[],
    version bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
CREATE INDEX roles_version ON roles (version);

CREATE TABLE api_keys (
    id text PRIMARY KEY,
    project_id text NOT NULL REFERENCES projects (id),
    name text NOT NULL,
    roles text[] NOT NULL DEFAULT '{}',
    limits jsonb NOT NULL DEFAULT '{}',
    models text[],
    networks cidr[],
    priority text NOT NULL DEFAULT 'normal' CHECK (priority IN ('high', 'normal', 'low')),
    expires_at timestamptz,
    revoked_at timestamptz,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX api_keys_project ON api_keys (project_id);
CREATE INDEX api_keys_name ON api_keys (name);
-- In the order in which they are listed.
CREATE INDEX api_keys_created ON api_keys (created_at, id);
CREATE INDEX api_keys_version ON api_keys (version);

-- A key has one secret, two while it is rotated. Only keyed hashes are kept.
CREATE TABLE api_key_secrets (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    key_id text NOT NULL REFERENCES api_keys (id),
    prefix text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    version bigint NOT NULL
);
CREATE INDEX api_key_secrets_key ON api_key_secrets (key_id);
CREATE INDEX api_key_secrets_version ON api_key_secrets (version);

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    actor_name text NOT NULL,
    source_address text,
    request_id text NOT NULL,
    action text NOT NULL,
    object_type text NOT NULL,
    object_id text NOT NULL,
    before jsonb,
    after jsonb
);
CREATE INDEX audit_log_object ON audit_log (object_type, object_id, id);

-- Answers to changes that carried an Idempotency-Key, for a day. Secrets in answers are not kept.
CREATE TABLE idempotency_keys (
    actor text NOT NULL,
    key text NOT NULL,
    request_digest bytea NOT NULL,
    status integer NOT NULL,
    answer jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (actor, key)
);
"""


def upgrade() -> None:
    """Create the tables."""
    run_script(_UP)
