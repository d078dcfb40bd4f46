//! The contract suite on PostgreSQL, and what only a server has: other processes, lost connections, restarts.

mod support;

swarmstore::contract!(contract_postgres, support::a_store());
