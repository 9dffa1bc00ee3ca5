/** A bar for a share from 0 to 1, in eighths of a character and padded to its width; for output that is only text. */
export function bar(share: number, width: number): string {
  const filled = Math.round((share > 0 ? Math.min(1, share) : 0) * width * 8);
  return ('█'.repeat(Math.floor(filled / 8)) + ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][filled % 8]!).padEnd(width);
}
