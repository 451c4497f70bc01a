import sys; sys.path.insert(0,'/share/bench'); sys.path.insert(0,'/share/lib')
import measure, paths, traceback
N=40000
for k,p,d,f in [(paths.Dropped,'udp','in',1),(paths.Redirected,'udp','in',1),(paths.Flowtable,'udp','in',1),(paths.Forwarded,'udp','in',1),(paths.Stock,'udp','in',1),(paths.Stock,'udp','in',1000),(paths.StockDr,'udp','in',1),(paths.Nft,'udp','in',1),(paths.Stock,'udp','out',1),
  (paths.Dropped,'tcp','in',1),(paths.Redirected,'tcp','in',1),(paths.Forwarded,'tcp','in',1),(paths.Stock,'tcp','in',1),(paths.Stock,'tcp','out',1000),(paths.Flowtable,'tcp','in',1),(paths.Nft,'tcp','out',1)]:
    try:
        print(k.name,p,d,f, measure.row(k,p,d,f,N), flush=True)
    except Exception as e:
        print(k.name,p,d,f,'ERR',str(e)[-600:], traceback.format_tb(e.__traceback__)[-1], flush=True)
