const encoder = new TextEncoder();

/** Writes a text as UTF-8 into memory that has room for all of it; answers how many bytes they are. */
export function write(text, room) {
  return encoder.encodeInto(text, room).written;
}
