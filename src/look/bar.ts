/** A bar of eighths of a character for a share of 0 to 1, padded to its width; for where there is nothing but text. */
export function bar(share: number, width: number): string {
  const filled = Math.round((share > 0 ? Math.min(1, share) : 0) * width * 8);
  return ('█'.repeat(Math.floor(filled / 8)) + ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][filled % 8]!).padEnd(width);
}
