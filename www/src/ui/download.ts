/** Saves a database file under the store's name and the time of day. */
export function download(file: Blob, name: string): void {
  const link = document.createElement('a');
  const stamp = new Date().toISOString().slice(0, 19).replace(/[:T]/g, '-');
  link.href = URL.createObjectURL(file);
  link.download = `${name}-${stamp}.sqlite3`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
