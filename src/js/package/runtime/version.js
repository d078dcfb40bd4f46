/** Known without loading the module; a test compares them with what the module says. */
export const VERSION = Object.freeze({ swarmstore: '0.1.0', sqlite: '3.53.4' });
