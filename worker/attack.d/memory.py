import mmap

taken = []
while len(taken) < 4 * memory_mb:
    taken.append(mmap.mmap(-1, 1 << 20))
    taken[-1].write(b"x" * (1 << 20))
print("broken: memory: took", len(taken), "MiB")
