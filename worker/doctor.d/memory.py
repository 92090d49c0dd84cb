"""Takes twice the memory that a job may have, and touches every page of it. `memory_mb` is set before this text."""
import mmap

taken = []
while len(taken) < 2 * memory_mb:
    taken.append(mmap.mmap(-1, 1 << 20))
    taken[-1].write(b"x" * (1 << 20))
print(f"taken={len(taken)}")
