//! The contract suite on `memory:`, natively and in wasm under Node.

swarmstore::contract!(contract_memory, swarmstore::testing::Url::memory());
