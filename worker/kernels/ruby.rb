# Makes ruby print at once what it is told to print, and holds one that was started ahead until its script is there (src/init/prepared.c).
# RUBYOPT=-r, which every job's environment has (src/job/defaults.c), makes ruby load this file; it stays there for children.
#
# Ruby opens its script and looks at the first line before it loads gems and what -r names; it compiles the script after that. So
# init puts a line feed in the script's place (MAYFLY_STAND_IN in languages.d/ruby.json) and takes it away again, and the file that ruby holds open is made
# the real one here.
#
# Rules
# 1. What the script can see is what it would see without us: $LOADED_FEATURES, ENV; but for RUBYOPT and $stdout.sync.
# 2. This file is on $LOADED_FEATURES only when it has ended, so the rest is done as require returns.
# 3. What cannot be done as ruby does it (there are options behind #!, there is no such file) is left to a fresh ruby in this process.
# 4. Without MAYFLY_GO nothing waits.

go = ENV.delete('MAYFLY_GO')
$stdout.sync = true
own = __FILE__
path = $PROGRAM_NAME
script = nil
if go
  ObjectSpace.each_object(File) do |file|
    script = file if file.path == path && !file.closed?
  rescue IOError
    next # one that never was opened
  end
  exit!(1) unless script # another ruby than those we know
end

TracePoint.new(:c_return) do |event|
  next unless event.method_id == :require

  event.disable
  $LOADED_FEATURES.delete(own)
  require 'rubygems' if defined?(Gem) # it is loaded: the index of features is made anew while nobody waits
  if go
    channel = IO.for_fd(Integer(go), 'r+')
    channel.syswrite('w')
    exit!(0) unless channel.read(1)
    channel.close
    if File.file?(path) && File.binread(path, 2) != '#!'
      script.reopen(path)
    else
      argv = File.binread('/proc/self/cmdline').split("\0")
      exec([argv[0], argv[0]], *argv[1..])
    end
  end
end.enable
