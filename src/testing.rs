//! The contract suite: what every backend has to do, written once.
