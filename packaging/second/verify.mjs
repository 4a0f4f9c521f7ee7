// Has files validated by a second implementation of C2PA, which shares no code with ours: @trustnxt/c2pa-ts (Apache-2.0).
//   npm install --prefix packaging/second && node packaging/second/verify.mjs FILE...
// PNG, JPEG and MP4; it reads no WebP. It does not look at chains of trust. One JSON line a file.
import * as fs from 'node:fs/promises';
import { BMFF, JPEG, PNG } from '@trustnxt/c2pa-ts/asset';
import { SuperBox } from '@trustnxt/c2pa-ts/jumbf';
import { ManifestStore, ValidationResult } from '@trustnxt/c2pa-ts/manifest';

const KINDS = [JPEG, PNG, BMFF];

async function look(file) {
    try {
        const data = await fs.readFile(file);
        const kind = KINDS.find(one => one.canRead(data));
        if (!kind) return { file, valid: false, codes: ['kind'] };
        const asset = new kind(data);
        const jumbf = asset.getManifestJUMBF();
        if (!jumbf) return { file, valid: false, codes: ['none'] };
        return told(file, await ManifestStore.read(SuperBox.fromBuffer(jumbf)).validate(asset));
    } catch (error) {
        return told(file, ValidationResult.fromError(error));
    }
}

function told(file, result) {
    return { file, valid: result.isValid, codes: result.statusEntries.filter(one => !one.success).map(one => one.code) };
}

for (const file of process.argv.slice(2)) console.log(JSON.stringify(await look(file)));
