/** A hub with the API of the Hugging Face Hub, and the host that its large files are on. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import path from 'node:path';
import { type Asked, json, type Listening, listen } from './http.js';

export interface Repository {
  /** By revision: a branch, a tag; commits are made of the files. */
  readonly revisions: Readonly<Record<string, Readonly<Record<string, Buffer>>>>;
  readonly cardData?: object;
  readonly base?: string;
  /** Its files are only for who has the token. */
  readonly gated?: boolean;
  /** The repository is not shown without the token. */
  readonly private?: boolean;
}

export const hubToken = 'hf_only_for_the_hub';

export interface FakeHub extends Listening {
  /** The host of large files. */
  readonly large: Listening;
  /** What becomes of the next answers with a large file, one after another; then they are sent as they are. */
  readonly faults: ('break' | 'drop' | 'spoil')[];
  /** The commit that a revision stands for. */
  readonly commit: (name: string, revision: string) => string;
}

const sha = (algorithm: string, ...parts: (string | Buffer)[]) => {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

/** The files of a folder. */
export const filesOf = (folder: string): Record<string, Buffer> =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name))]));

const isLarge = (file: string) => file.endsWith('.safetensors');

/** @param arrived is awaited before a connection breaks: the other side loses what it had not read by then */
export async function fakeHub(
  repositories: Readonly<Record<string, Repository>>,
  arrived: (bytes: number) => Promise<void> = () => Promise.resolve(),
): Promise<FakeHub> {
  const faults: FakeHub['faults'] = [];
  const stored = new Map<string, Buffer>();
  const commitOf = (files: Readonly<Record<string, Buffer>>) =>
    sha('sha1', ...Object.entries(files).flatMap(([name, content]) => [name, content]));
  const large = await listen(({ path: asked, headers }, response) => {
    const content = stored.get(asked.slice(1).split('?')[0]!)!;
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
    const fault = faults.shift();
    if (fault === 'drop') return response.destroy();
    response.writeHead(headers.range === undefined ? 200 : 206, {
      'Content-Length': content.length - from,
      ...(headers.range !== undefined && { 'Content-Range': `bytes ${from}-${content.length - 1}/${content.length}` }),
    });
    if (fault === 'break') {
      const to = from + (content.length - from) / 2;
      return response.write(content.subarray(from, to), () => void arrived(to).finally(() => response.destroy()));
    }
    return response.end(
      fault === 'spoil'
        ? Buffer.from(content)
            .fill(7, content.length - 20)
            .subarray(from)
        : content.subarray(from),
    );
  });

  const answer = (one: Asked, response: ServerResponse, hub: () => string): unknown => {
    const { pathname, searchParams } = new URL(one.path, 'http://hub');
    const isKnown = one.headers.authorization === `Bearer ${hubToken}`;
    const refuse = (status: number, code: string) =>
      json(response, { error: code }, status, { 'X-Error-Code': code, 'X-Error-Message': code });
    const [, about, name = '', what, rest = ''] =
      /^\/(api\/models\/)?([^/]+\/[^/]+)\/(revision|tree|resolve)\/(.+)$/.exec(pathname) ?? [];
    const found = Object.hasOwn(repositories, name) ? repositories[name]! : undefined;
    if (!found || (found.private && !isKnown)) return refuse(isKnown ? 404 : 401, 'RepoNotFound');
    const revision = decodeURIComponent(rest.split('/')[0]!);
    const files = found.revisions[revision] ?? Object.values(found.revisions).find((its) => commitOf(its) === revision);
    if (!files) return refuse(404, 'RevisionNotFound');
    if (about && what === 'revision')
      return json(response, {
        ...{
          _id: '1',
          id: name,
          sha: commitOf(files),
          private: !!found.private,
          gated: found.gated ? 'manual' : false,
        },
        ...{ downloads: 0, likes: 0, lastModified: '2026-01-01T00:00:00.000Z', pipeline_tag: 'text-generation' },
        cardData: found.cardData ?? {},
        config: found.base === undefined ? {} : { peft: { base_model_name_or_path: found.base } },
      });
    if (about && what === 'tree')
      return list(response, files, { hub: hub(), pathname, at: Number(searchParams.get('cursor')) });
    if (found.gated && !isKnown) return refuse(one.headers.authorization ? 403 : 401, 'GatedRepo');
    const file = rest.split('/').slice(1).join('/');
    const content = files[file];
    if (!content) return refuse(404, 'EntryNotFound');
    if (!isLarge(file)) {
      response.writeHead(200, { 'Content-Length': content.length, ETag: `"${sha('sha1', content)}"` });
      return response.end(content);
    }
    stored.set(sha('sha256', content), content);
    response.writeHead(302, {
      Location: `${large.address}/${sha('sha256', content)}?signed=1`,
      'X-Linked-Size': content.length,
      'X-Linked-ETag': `"${sha('sha256', content)}"`,
    });
    return response.end();
  };

  /** Two entries a page, as the hub pages long folders. */
  const list = (
    response: ServerResponse,
    files: Readonly<Record<string, Buffer>>,
    { hub, pathname, at }: { hub: string; pathname: string; at: number },
  ) => {
    const entries = Object.entries(files).map(([name, content]) => ({
      ...{ type: 'file', path: name },
      ...(isLarge(name)
        ? {
            ...{ size: content.length, oid: sha('sha1', 'pointer', content) },
            lfs: { oid: sha('sha256', content), size: content.length, pointerSize: 130 },
          }
        : { size: content.length, oid: sha('sha1', `blob ${content.length}\0`, content) }),
    }));
    const page = entries.slice(at, at + 2);
    const isLast = at + 2 >= entries.length;
    const next = { Link: `<${hub}${pathname}?recursive=false&expand=false&cursor=${at + 2}>; rel="next"` };
    return json(response, page, 200, isLast ? {} : next);
  };

  const hub = await listen((one, response) => answer(one, response, () => hub.address));
  return {
    ...hub,
    large,
    faults,
    commit: (name, revision) => commitOf(repositories[name]!.revisions[revision]!),
    close: async () => {
      await hub.close();
      await large.close();
    },
  };
}
