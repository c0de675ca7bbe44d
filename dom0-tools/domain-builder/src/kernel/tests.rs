// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Kernel files made on the spot: what is loaded from them, whatever way it takes.

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use super::*;

/// A folder that goes away.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("xenolith-kernel-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn cache(&self, bound: u64) -> Cache {
        Cache::new(self.0.join("cache"), bound)
    }

    /// The names in the cache.
    fn cached(&self, end: &str) -> Vec<PathBuf> {
        let Ok(listed) = fs::read_dir(self.0.join("cache")) else { return Vec::new() };
        let mut paths: Vec<_> = listed.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.to_string_lossy().ends_with(end));
        paths
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn note(kind: u32, desc: &[u8]) -> Vec<u8> {
    let mut note = Vec::new();
    for word in [4, desc.len() as u32, kind] {
        note.extend(word.to_le_bytes());
    }
    note.extend(b"Xen\0");
    note.extend(desc);
    note.resize(note.len().next_multiple_of(4), 0);
    note
}

/// An ELF file with two segments; the notes in a segment or, if not `by_segment`, in a section.
fn elf(seed: u8, by_segment: bool) -> Vec<u8> {
    let mut notes = note(1, &0x10_0000_u64.to_le_bytes());
    notes.extend(note(3, &0_u64.to_le_bytes()));
    notes.extend(note(5, b"xen-3.0\0"));
    let mut code: Vec<u8> = (0..1_500_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 17) as u8 ^ seed).collect();
    // Zeros in the middle, over the end of a chunk, and of a page only.
    code[300_000..500_001].fill(0);
    code[1_000_000..1_100_000].fill(0);
    code[1_200_000..1_210_000].fill(0);
    let headers = 64 + 56 * if by_segment { 3 } else { 2 };
    let notes_at = headers;
    let code_at = notes_at + notes.len();
    let data_at = code_at + code.len();
    let data = vec![seed; 5000];
    let sections_at = data_at + data.len();
    let mut elf = vec![0; 64];
    elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    let mut set = |at: usize, value: u64, len: usize| elf[at..at + len].copy_from_slice(&value.to_le_bytes()[..len]);
    set(16, 2, 2);
    set(18, 62, 2);
    set(32, 64, 8);
    set(40, if by_segment { 0 } else { sections_at as u64 }, 8);
    set(54, 56, 2);
    set(56, if by_segment { 3 } else { 2 }, 2);
    set(58, 64, 2);
    set(60, u64::from(!by_segment), 2);
    let mut segment = |kind: u32, offset: usize, paddr: u64, len: usize, mem: u64| {
        elf.extend(kind.to_le_bytes());
        elf.extend(5_u32.to_le_bytes());
        for value in [offset as u64, paddr, paddr, len as u64, mem, 4] {
            elf.extend(value.to_le_bytes());
        }
    };
    segment(1, code_at, 0x10_0000, code.len(), code.len() as u64);
    segment(1, data_at, 0x40_0123, data.len(), 20_000);
    if by_segment {
        segment(4, notes_at, 0, notes.len(), 0);
    }
    elf.extend(&notes);
    elf.extend(code);
    elf.extend(data);
    if !by_segment {
        let mut section = vec![0; 64];
        section[4..8].copy_from_slice(&7_u32.to_le_bytes());
        section[24..32].copy_from_slice(&(notes_at as u64).to_le_bytes());
        section[32..40].copy_from_slice(&(notes.len() as u64).to_le_bytes());
        section[48] = 4;
        elf.extend(section);
    }
    elf
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn open(path: &Path, cache: Option<&Cache>) -> Result<KernelImage> {
    KernelImage::open(path, cache, &mut |_| ControlFlow::Continue(()))
}

/// What would be written where, as one list of bytes for each segment.
fn loaded(image: &KernelImage) -> std::result::Result<Vec<Vec<u8>>, LoadError<()>> {
    let mut segments: Vec<Vec<u8>> =
        image.outline.parts.iter().map(|part| vec![0; usize::try_from(part.len).unwrap()]).collect();
    image.read_runs(&image.runs(), |run, bytes| {
        let at = usize::try_from(run.at).unwrap();
        segments[run.segment][at..at + run.len].copy_from_slice(bytes);
        Ok(())
    })?;
    Ok(segments)
}

/// What guest-image makes of the whole file.
fn expected(elf: &[u8]) -> Vec<Vec<u8>> {
    Kernel::parse(elf).unwrap().segments().iter().map(|segment| segment.data.to_vec()).collect()
}

#[test]
fn every_way_loads_the_same() {
    let folder = Folder::new();
    let cache = folder.cache(1 << 30);
    for by_segment in [true, false] {
        let elf = elf(1, by_segment);
        let whole = Kernel::parse(&elf).unwrap();
        let plain = open(&folder.file("plain", &elf), Some(&cache)).unwrap();
        let packed = folder.file("packed", &gzip(&elf));
        let images = [plain, open(&packed, Some(&cache)).unwrap(), open(&packed, Some(&cache)).unwrap()];
        assert_eq!(images.each_ref().map(KernelImage::origin), [Origin::File, Origin::Unpacked, Origin::Cache]);
        for image in &images {
            let parsed = image.parsed().unwrap();
            assert_eq!((parsed.notes(), parsed.frames()), (whole.notes(), whole.frames()));
            let places = |kernel: &Kernel<'_>| -> Vec<_> {
                kernel.segments().iter().map(|segment| (segment.guest_phys, segment.mem_len)).collect()
            };
            assert_eq!(places(&parsed), places(&whole));
            assert_eq!(loaded(image).unwrap(), expected(&elf));
        }
    }
}

#[test]
fn damage_in_the_cache_costs_time_only() {
    let folder = Folder::new();
    let cache = folder.cache(1 << 30);
    let elf = elf(2, true);
    let packed = folder.file("packed", &gzip(&elf));
    open(&packed, Some(&cache)).unwrap();
    let entry = folder.cached(".kernel").remove(0);
    let good = fs::read(&entry).unwrap();
    for at in [0, 9, 20, 60, 200, 5000, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&entry, bad).unwrap();
        let mut image = open(&packed, Some(&cache)).unwrap();
        match loaded(&image) {
            Ok(segments) => assert_eq!(segments, expected(&elf), "flip at {at}"),
            Err(LoadError::Damaged) => {
                image.unpack_again(Some(&cache), &mut |_| ControlFlow::Continue(())).unwrap();
                assert_eq!(loaded(&image).unwrap(), expected(&elf), "flip at {at}");
            }
            Err(error) => panic!("flip at {at}: {error:?}"),
        }
        assert_eq!(fs::read(&entry).unwrap(), good, "the entry was not made anew after a flip at {at}");
    }
    fs::write(&entry, &good[..good.len() - 1]).unwrap();
    assert_eq!(open(&packed, Some(&cache)).unwrap().origin(), Origin::Unpacked);
}

#[test]
fn the_cache_keeps_its_bound_and_what_was_used_last() {
    let folder = Folder::new();
    // Room for two of the three.
    let cache = folder.cache(3 << 20);
    let packed: Vec<_> = (0..3).map(|n| folder.file(&format!("k{n}"), &gzip(&elf(10 + n, true)))).collect();
    open(&packed[0], Some(&cache)).unwrap();
    for path in folder.cached(".kernel") {
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(SystemTime::now() - Duration::from_secs(99))
            .unwrap();
    }
    open(&packed[1], Some(&cache)).unwrap();
    // The first one is older, but used again.
    assert_eq!(open(&packed[0], Some(&cache)).unwrap().origin(), Origin::Cache);
    for path in folder.cached(".kernel") {
        let old = fs::metadata(&path).unwrap().modified().unwrap() - Duration::from_secs(9);
        fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    }
    let abandoned = folder.0.join("cache/unfinished.1.1");
    fs::write(&abandoned, b"half").unwrap();
    fs::File::options().write(true).open(&abandoned).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    open(&packed[2], Some(&cache)).unwrap();
    assert_eq!(folder.cached(".kernel").len(), 2);
    assert!(!abandoned.exists());
    let origins = [2, 0, 1].map(|n: usize| open(&packed[n], Some(&cache)).unwrap().origin());
    assert_eq!(origins, [Origin::Cache, Origin::Cache, Origin::Unpacked]);
}

#[test]
fn without_a_usable_folder_it_works_as_well() {
    let folder = Folder::new();
    let packed = folder.file("packed", &gzip(&elf(3, true)));
    let cache = Cache::new(folder.file("a file", b"").join("cache"), 1 << 30);
    for _ in 0..2 {
        assert_eq!(open(&packed, Some(&cache)).unwrap().origin(), Origin::Unpacked);
    }
    assert_eq!(open(&packed, None).unwrap().origin(), Origin::Unpacked);
}

#[test]
fn files_that_are_no_kernels_are_named_with_their_cause() {
    let folder = Folder::new();
    let said =
        |path: &Path| open(path, None).expect_err("no kernel").to_string().replace(&*folder.0.to_string_lossy(), "");
    assert_eq!(
        said(&folder.0.join("none")),
        "kernel /none: No such file or directory (os error 2); create the file or correct 'kernel'"
    );
    assert_eq!(said(&folder.0), "kernel : is a directory; check the file and 'kernel'");
    assert_eq!(said(Path::new("/dev/null")), "kernel /dev/null: not a regular file; check the file and 'kernel'");
    let text = folder.file("text", &[b'x'; 5000]);
    assert_eq!(
        said(&text),
        "kernel /text: not a kernel (neither bzImage nor ELF): give a Linux vmlinuz with CONFIG_XEN_PV=y"
    );
    let empty = folder.file("empty", b"");
    assert!(said(&empty).starts_with("kernel /empty: not a kernel"), "{}", said(&empty));
    let good = elf(4, true);
    let mut packed = gzip(&good);
    packed[20_000] ^= 1;
    for (name, bytes, cause) in [
        ("cut", &good[..good.len() - 3000], "the kernel's ELF file is damaged (a segment is out of bounds)"),
        ("head", &good[..40], "the kernel image ends inside its ELF header"),
        ("gz", &packed, "the kernel's gzip payload is damaged"),
    ] {
        let message = said(&folder.file(name, bytes));
        assert!(message.contains(cause), "{message}");
    }
    let mut foreign = good.clone();
    foreign[18] = 40;
    assert!(said(&folder.file("arm", &foreign)).contains("not for x86-64"));
    let mut no_notes = good;
    no_notes[64 + 112] = 0;
    assert!(said(&folder.file("bare", &no_notes)).contains("no Xen ELF notes"));
}

#[test]
fn a_file_is_hashed_once_but_never_mistaken_for_another() {
    let folder = Folder::new();
    // Just changed, and long ago.
    let new = folder.cache(1 << 30).settling_in(Duration::from_secs(3600));
    let cache = folder.cache(1 << 30).settling_in(Duration::ZERO);
    let (one, two) = (elf(5, true), elf(6, true));
    let packed = folder.file("packed", &gzip(&one));
    open(&packed, Some(&new)).unwrap();
    assert!(folder.cached(".name").is_empty(), "a file that has just changed may still change");
    let mut large = elf(7, true);
    large.resize(5 << 20, 0);
    let vmlinux = folder.file("vmlinux", &large);
    assert_eq!(open(&vmlinux, Some(&new)).unwrap().key, None);
    assert_eq!(open(&packed, Some(&cache)).unwrap().origin(), Origin::Cache);
    let name = folder.cached(".name").remove(0);
    assert_eq!(loaded(&open(&packed, Some(&cache)).unwrap()).unwrap(), expected(&one));
    // Its name damaged, it is hashed again.
    fs::write(&name, [7; 40]).unwrap();
    assert_eq!(loaded(&open(&packed, Some(&cache)).unwrap()).unwrap(), expected(&one));
    fs::write(&packed, gzip(&two)).unwrap();
    let changed = open(&packed, Some(&cache)).unwrap();
    assert_eq!((changed.origin(), loaded(&changed).unwrap()), (Origin::Unpacked, expected(&two)));
    // Large ELF files are not hashed at all, and kept without their zeros.
    for origin in [Origin::File, Origin::Cache] {
        let image = open(&vmlinux, Some(&cache)).unwrap();
        assert_eq!((image.origin(), loaded(&image).unwrap()), (origin, expected(&large)));
    }
    let kept = open(&vmlinux, Some(&cache)).unwrap().runs().iter().map(|run| run.len).sum::<usize>();
    assert!(kept < 1_300_000, "{kept}");
    large[200_000] ^= 1;
    fs::write(&vmlinux, &large).unwrap();
    assert_eq!(loaded(&open(&vmlinux, Some(&cache)).unwrap()).unwrap(), expected(&large));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 100, ..proptest::prelude::ProptestConfig::default() })]

    /// guest-image looks at the whole file, the outline at pieces: they must agree on whatever the headers say.
    #[test]
    fn the_outline_of_a_damaged_file_is_judged_like_the_file(
        by_segment: bool,
        flips in proptest::collection::vec((0..360_usize, 0..8_u32), 0..4),
    ) {
        // The headers and notes, and a few bytes of what they speak of.
        let mut file = elf(9, by_segment);
        for (at, bit) in flips {
            file[at] ^= 1 << bit;
        }
        let whole = Kernel::parse(&file);
        let outline = Outline::read(file.as_slice());
        match (&whole, &outline) {
            (Ok(whole), Ok(outline)) => {
                let parsed = Kernel::parse(&outline.elf);
                proptest::prop_assert!(parsed.is_ok(), "{:?}", parsed.err());
                let parsed = parsed.unwrap();
                proptest::prop_assert_eq!((parsed.notes(), parsed.frames()), (whole.notes(), whole.frames()));
                proptest::prop_assert_eq!(outline.parts.len(), whole.segments().len());
                for (part, segment) in outline.parts.iter().zip(whole.segments()) {
                    let from = usize::try_from(part.offset).unwrap();
                    let data = &file[from..from + usize::try_from(part.len).unwrap()];
                    proptest::prop_assert!(data == segment.data);
                }
            }
            (Ok(_), Err(error)) => proptest::prop_assert!(false, "only the outline is refused: {error:?}"),
            (Err(_), Err(_)) => {}
            (Err(error), Ok(outline)) => {
                proptest::prop_assert!(Kernel::parse(&outline.elf).is_err(), "only the file is refused: {error}");
            }
        }
    }
}
