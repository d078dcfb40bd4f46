import type { Picture, Snapshot } from '../snapshot';
import { saveFile } from './download';
import { byId, setText } from './dom';
import { bytes, count, plural, seconds } from './format';

/** What the assembly made: a file to save, and how it came about. */
export function mountResult(): (snapshot: Snapshot) => void {
  const result = byId('result');
  let picture: Picture | undefined;
  let name = '';
  byId('download-picture').addEventListener('click', () => picture && saveFile(picture.file, `${name}.png`));

  return (snapshot) => {
    if (snapshot.picture === picture) return;
    picture = snapshot.picture;
    result.hidden = picture === undefined;
    if (!picture || !snapshot.run) return;
    const { width, height, tiles, bytes: size, sha256, elapsedMs, failedAttempts, rejected, tilesBy } = picture.result;
    name = `${snapshot.run.order.region}-${sha256.slice(0, 8)}`;
    setText(byId('result-title'), `${count(width)} × ${count(height)} pixels, ${bytes(size)} of PNG`);
    setText(byId('result-how'), [
      `${plural(tiles, 'tile')} by ${plural(Object.keys(tilesBy).length, 'agent')} in ${seconds(elapsedMs)}`,
      failedAttempts > 0 ? plural(failedAttempts, 'failed attempt') : '',
      rejected > 0 ? `${plural(rejected, 'tile')} computed twice` : '',
    ].filter(Boolean).join(', '));
    setText(byId('digest'), sha256);
  };
}
