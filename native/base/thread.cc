#include "base/thread.h"

#include <pthread.h>
#include <sys/resource.h>

namespace asyncstore::base {

void describe_thread(const char* name, int nice) {
  pthread_setname_np(pthread_self(), name);
  // On Linux a thread's own; 0 is the calling one. Lowering is always allowed.
  setpriority(PRIO_PROCESS, 0, nice);
}

}  // namespace asyncstore::base
