// Tones and counts travel as JSON inside a task's result. Tones: run-length encoded (PackBits), then base64.
// A control byte below 128 announces that many plus one literal bytes; one above repeats the next byte 257 minus it times.

/** Packs tones into a short string. */
export function encodeTones(tones: Uint8Array): string {
  return toBase64(pack(tones));
}

/** Unpacks what `encodeTones` made. Throws if the text does not hold exactly `length` tones. */
export function decodeTones(text: string, length: number): Uint8Array {
  const packed = fromBase64(text);
  const out = new Uint8Array(length);
  let from = 0;
  let to = 0;
  while (from < packed.length) {
    const control = packed[from++]!;
    const count = control < 128 ? control + 1 : 257 - control;
    const needed = control < 128 ? count : 1;
    if (to + count > length || from + needed > packed.length) throw new RangeError('tile data does not fit its tile');
    if (control < 128) out.set(packed.subarray(from, from + count), to);
    else out.fill(packed[from]!, to, to + count);
    from += needed;
    to += count;
  }
  if (to !== length) throw new RangeError('tile data is shorter than its tile');
  return out;
}

/** Turns counts up to 65,535 into a string. */
export function encodeCounts(counts: Uint16Array): string {
  const bytes = new Uint8Array(counts.length * 2);
  const view = new DataView(bytes.buffer);
  counts.forEach((count, at) => view.setUint16(at * 2, count, true));
  return toBase64(bytes);
}

/** Turns the string back into `length` counts. Throws if it holds another number of them. */
export function decodeCounts(text: string, length: number): Uint16Array {
  const bytes = fromBase64(text);
  if (bytes.length !== length * 2) throw new RangeError('the counts do not fit the tiles');
  const view = new DataView(bytes.buffer);
  return Uint16Array.from({ length }, (_, at) => view.getUint16(at * 2, true));
}

function pack(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const repeat = repeatAt(bytes, at);
    if (repeat > 2) {
      out.push(257 - repeat, bytes[at]!);
      at += repeat;
      continue;
    }
    const start = at;
    while (at < bytes.length && at - start < 128 && repeatAt(bytes, at) <= 2) at++;
    out.push(at - start - 1, ...bytes.subarray(start, at));
  }
  return Uint8Array.from(out);
}

/** How often the byte at `at` repeats from there on, at most 128 times. */
function repeatAt(bytes: Uint8Array, at: number): number {
  const end = Math.min(bytes.length, at + 128);
  let to = at + 1;
  while (to < end && bytes[to] === bytes[at]) to++;
  return to - at;
}

/** Bytes as base64. */
export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

/** What `toBase64` was given. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
